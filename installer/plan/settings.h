/* settings: the components' settings tables and the operator's overrides. */
#pragma once
#include "cluster/cluster.h"
#include "plan/release.h"

/*
 * Adds one map for each settings group to `vars`: defaults, then overrides. ERR_USAGE at the override's place
 * for an unknown group or setting (with the nearest name), a wrong type, or a text with characters that could
 * leave its place in a unit or configuration file.
 */
struct err *settings_add(struct doc *vars, const struct release *r, const struct cluster *c) ERR_MUST;
