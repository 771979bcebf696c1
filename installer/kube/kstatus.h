/*
 * kstatus: is a live object what its spec asks for? Pure functions over the object as the API server returns it.
 * Source: the kstatus rules of cli-utils (K8S-10). Stricter in four places, each said at its rule: workloads that no
 * controller has seen, running Jobs, crash loops, APIServices.
 */
#pragma once
#include "doc/doc.h"

enum kstatus {
    KSTATUS_CURRENT,     /* as asked */
    KSTATUS_IN_PROGRESS, /* on the way */
    KSTATUS_FAILED,      /* will not get there by itself */
    KSTATUS_TERMINATING,
};

/* The state of `object`; `why` gets a short reason. */
enum kstatus kstatus(const struct doc *object, char why[256]);
const char *kstatus_name(enum kstatus s);
