/* firewall: takes rules of the packet filter away that components left in the kernel. */
#pragma once
#include "base/err.h"
#include "doc/doc.h"

/*
 * `names` (a list of texts, or NULL): nftables tables of such a name, and chains whose name begins so with every rule
 * that leads to them, also those of iptables-nft. A table that held nothing else goes with its chains. Without nft
 * nothing is done.
 */
struct err *firewall_drop(const struct doc *names) ERR_MUST;
