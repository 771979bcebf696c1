#include "kube/kstatus.h"

#include "base/str.h"

#include <stdarg.h>
#include <string.h>

/* ---- helpers ---- */

static enum kstatus say(enum kstatus s, char why[256], const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static enum kstatus say(enum kstatus s, char why[256], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(why, 256, fmt, ap);
    va_end(ap);
    return s;
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

static const struct doc *condition(const struct doc *o, const char *type)
{
    return doc_find(doc_path(o, "status.conditions"), "type", type);
}

static bool condition_is(const struct doc *o, const char *type, const char *value)
{
    return str_eq(doc_text(condition(o, type), "status"), value);
}

/* A state with "reason: message" of a condition. */
static enum kstatus say_condition(enum kstatus s, char why[256], const struct doc *c)
{
    const char *reason = or_empty(doc_text(c, "reason")), *message = or_empty(doc_text(c, "message"));
    return say(s, why, "%s %s%s%s%s%s", or_empty(doc_text(c, "type")), or_empty(doc_text(c, "status")),
               *reason ? ": " : "", reason, *message ? ": " : "", message);
}

/* Rows of "have must reach want", in the order in which they are worth reporting. */
struct count {
    const char *what;
    int64_t have, want;
};

static bool count_short(const struct count *counts, size_t n, char why[256])
{
    for (size_t i = 0; i < n; i++)
        if (counts[i].have < counts[i].want) {
            (void)say(KSTATUS_IN_PROGRESS, why, "%s: %lld/%lld", counts[i].what, (long long)counts[i].have,
                      (long long)counts[i].want);
            return true;
        }
    return false;
}

/* Stricter than kstatus: before its controller has written a status at all, zeros look like "done". */
static bool unseen(const struct doc *o, char why[256])
{
    if (doc_path(o, "status.observedGeneration"))
        return false;
    (void)say(KSTATUS_IN_PROGRESS, why, "not seen by its controller yet");
    return true;
}

/* ---- kinds ---- */

static enum kstatus deployment(const struct doc *o, char why[256])
{
    int64_t want = doc_int(o, "spec.replicas", 1), have = doc_int(o, "status.replicas", 0);
    int64_t updated = doc_int(o, "status.updatedReplicas", 0);
    const struct doc *progressing = condition(o, "Progressing");
    if (str_eq(doc_text(progressing, "reason"), "ProgressDeadlineExceeded"))
        return say_condition(KSTATUS_FAILED, why, progressing);
    if (unseen(o, why))
        return KSTATUS_IN_PROGRESS;
    const struct count first[] = {{"replicas", have, want}, {"updated", updated, want}};
    if (count_short(first, ARRAY_LEN(first), why))
        return KSTATUS_IN_PROGRESS;
    if (have > want)
        return say(KSTATUS_IN_PROGRESS, why, "pending termination: %lld", (long long)(have - want));
    const struct count then[] = {{"available", doc_int(o, "status.availableReplicas", 0), updated},
                                 {"ready", doc_int(o, "status.readyReplicas", 0), want}};
    if (count_short(then, ARRAY_LEN(then), why))
        return KSTATUS_IN_PROGRESS;
    bool limited = doc_int(o, "spec.progressDeadlineSeconds", 600) != INT32_MAX;
    bool replaced = str_eq(doc_text(progressing, "reason"), "NewReplicaSetAvailable");
    if (limited && !(replaced && condition_is(o, "Progressing", "True")))
        return say(KSTATUS_IN_PROGRESS, why, "new ReplicaSet is not available yet");
    if (!condition_is(o, "Available", "True"))
        return say(KSTATUS_IN_PROGRESS, why, "not available");
    return say(KSTATUS_CURRENT, why, "available: %lld", (long long)want);
}

static enum kstatus replica_set(const struct doc *o, char why[256])
{
    int64_t want = doc_int(o, "spec.replicas", 1), have = doc_int(o, "status.replicas", 0);
    if (condition_is(o, "ReplicaFailure", "True"))
        return say_condition(KSTATUS_IN_PROGRESS, why, condition(o, "ReplicaFailure"));
    if (unseen(o, why))
        return KSTATUS_IN_PROGRESS;
    const struct count counts[] = {{"labelled", doc_int(o, "status.fullyLabeledReplicas", 0), want},
                                   {"available", doc_int(o, "status.availableReplicas", 0), want},
                                   {"ready", doc_int(o, "status.readyReplicas", 0), want}};
    if (count_short(counts, ARRAY_LEN(counts), why))
        return KSTATUS_IN_PROGRESS;
    if (have > want)
        return say(KSTATUS_IN_PROGRESS, why, "pending termination: %lld", (long long)(have - want));
    return say(KSTATUS_CURRENT, why, "ready: %lld", (long long)want);
}

static enum kstatus stateful_set(const struct doc *o, char why[256])
{
    int64_t want = doc_int(o, "spec.replicas", 1), have = doc_int(o, "status.replicas", 0);
    int64_t partition = doc_int(o, "spec.updateStrategy.rollingUpdate.partition", -1);
    if (str_eq(doc_text(o, "spec.updateStrategy.type"), "OnDelete"))
        return say(KSTATUS_CURRENT, why, "updated when its pods are deleted");
    if (unseen(o, why))
        return KSTATUS_IN_PROGRESS;
    const struct count first[] = {{"replicas", have, want}, {"ready", doc_int(o, "status.readyReplicas", 0), want}};
    if (count_short(first, ARRAY_LEN(first), why))
        return KSTATUS_IN_PROGRESS;
    if (have > want)
        return say(KSTATUS_IN_PROGRESS, why, "pending termination: %lld", (long long)(have - want));
    if (partition > 0) {
        const struct count part = {"updated", doc_int(o, "status.updatedReplicas", 0), want - partition};
        return count_short(&part, 1, why) ? KSTATUS_IN_PROGRESS : say(KSTATUS_CURRENT, why, "partition rolled out");
    }
    const struct count current = {"current", doc_int(o, "status.currentReplicas", 0), want};
    if (count_short(&current, 1, why))
        return KSTATUS_IN_PROGRESS;
    if (!str_eq(doc_text(o, "status.currentRevision"), doc_text(o, "status.updateRevision")))
        return say(KSTATUS_IN_PROGRESS, why, "waiting for revision %s", or_empty(doc_text(o, "status.updateRevision")));
    return say(KSTATUS_CURRENT, why, "ready: %lld", (long long)want);
}

static enum kstatus daemon_set(const struct doc *o, char why[256])
{
    int64_t want = doc_int(o, "status.desiredNumberScheduled", -1);
    if (unseen(o, why))
        return KSTATUS_IN_PROGRESS;
    if (want < 0)
        return say(KSTATUS_IN_PROGRESS, why, "no number of wanted pods yet");
    bool by_hand = str_eq(doc_text(o, "spec.updateStrategy.type"), "OnDelete");
    const struct count counts[] = {
        {"scheduled", doc_int(o, "status.currentNumberScheduled", 0), want},
        {"updated", doc_int(o, "status.updatedNumberScheduled", 0), by_hand ? 0 : want},
        {"available", doc_int(o, "status.numberAvailable", 0), want},
        {"ready", doc_int(o, "status.numberReady", 0), want},
    };
    if (count_short(counts, ARRAY_LEN(counts), why))
        return KSTATUS_IN_PROGRESS;
    return say(KSTATUS_CURRENT, why, "ready: %lld", (long long)want);
}

/* Stricter than kstatus, for which a Job that runs is Current: who waits for a Job wants its result. */
static enum kstatus job(const struct doc *o, char why[256])
{
    if (condition_is(o, "Failed", "True"))
        return say_condition(KSTATUS_FAILED, why, condition(o, "Failed"));
    if (condition_is(o, "Complete", "True"))
        return say(KSTATUS_CURRENT, why, "complete");
    if (condition_is(o, "Suspended", "True"))
        return say(KSTATUS_CURRENT, why, "suspended");
    if (!doc_text(o, "status.startTime"))
        return say(KSTATUS_IN_PROGRESS, why, "not started");
    return say(KSTATUS_IN_PROGRESS, why, "running: %lld active, %lld succeeded, %lld failed",
               (long long)doc_int(o, "status.active", 0), (long long)doc_int(o, "status.succeeded", 0),
               (long long)doc_int(o, "status.failed", 0));
}

/*
 * What a container waits for, "coredns: CrashLoopBackOff: back-off 10s". kstatus calls a crash loop Failed; while a
 * cluster comes up it often heals, so it stays a reason and the deadline decides.
 */
static bool container_waits(const struct doc *o, char why[256])
{
    DOC_EACH (c, doc_path(o, "status.containerStatuses")) {
        const char *reason = doc_text(c, "state.waiting.reason");
        if (!reason)
            continue;
        (void)say(KSTATUS_IN_PROGRESS, why, "%s: %s: %s", or_empty(doc_text(c, "name")), reason,
                  or_empty(doc_text(c, "state.waiting.message")));
        return true;
    }
    return false;
}

static enum kstatus pod(const struct doc *o, char why[256])
{
    const char *phase = or_empty(doc_text(o, "status.phase"));
    if (str_eq(phase, "Succeeded"))
        return say(KSTATUS_CURRENT, why, "succeeded");
    if (str_eq(phase, "Failed"))
        return say(KSTATUS_FAILED, why, "failed: %s %s", or_empty(doc_text(o, "status.reason")),
                   or_empty(doc_text(o, "status.message")));
    if (str_eq(phase, "Running") && condition_is(o, "Ready", "True"))
        return say(KSTATUS_CURRENT, why, "ready");
    if (condition_is(o, "PodScheduled", "False"))
        return say_condition(KSTATUS_IN_PROGRESS, why, condition(o, "PodScheduled"));
    if (container_waits(o, why))
        return KSTATUS_IN_PROGRESS;
    return say(KSTATUS_IN_PROGRESS, why, "%s, not ready", *phase ? phase : "no phase yet");
}

static enum kstatus crd(const struct doc *o, char why[256])
{
    if (condition_is(o, "NamesAccepted", "False"))
        return say_condition(KSTATUS_FAILED, why, condition(o, "NamesAccepted"));
    if (condition_is(o, "Established", "True"))
        return say(KSTATUS_CURRENT, why, "established");
    const struct doc *c = condition(o, "Established");
    if (condition_is(o, "Established", "False") && !str_eq(doc_text(c, "reason"), "Installing"))
        return say_condition(KSTATUS_FAILED, why, c);
    return say(KSTATUS_IN_PROGRESS, why, "not established yet");
}

static enum kstatus pvc(const struct doc *o, char why[256])
{
    const char *phase = or_empty(doc_text(o, "status.phase"));
    return say(str_eq(phase, "Bound") ? KSTATUS_CURRENT : KSTATUS_IN_PROGRESS, why, "phase %s", phase);
}

static enum kstatus service(const struct doc *o, char why[256])
{
    const char *ip = doc_text(o, "spec.clusterIP");
    if (str_eq(doc_text(o, "spec.type"), "LoadBalancer") && !*or_empty(ip))
        return say(KSTATUS_IN_PROGRESS, why, "no cluster address yet");
    return say(KSTATUS_CURRENT, why, "%s", ip ? ip : "exists");
}

static enum kstatus ns(const struct doc *o, char why[256])
{
    const char *phase = or_empty(doc_text(o, "status.phase"));
    if (str_eq(phase, "Terminating"))
        return say(KSTATUS_TERMINATING, why, "terminating");
    return say(str_eq(phase, "Active") ? KSTATUS_CURRENT : KSTATUS_IN_PROGRESS, why, "phase %s", phase);
}

/* Not in kstatus: an aggregated API that does not answer makes discovery and namespace deletion fail. */
static enum kstatus api_service(const struct doc *o, char why[256])
{
    if (condition_is(o, "Available", "True"))
        return say(KSTATUS_CURRENT, why, "available");
    if (condition(o, "Available"))
        return say_condition(KSTATUS_IN_PROGRESS, why, condition(o, "Available"));
    return say(KSTATUS_IN_PROGRESS, why, "not available yet");
}

/* Whatever has a Ready condition lives by it; what has none is there, and that is enough. */
static enum kstatus other(const struct doc *o, char why[256])
{
    const struct doc *ready = condition(o, "Ready");
    if (!ready)
        return say(KSTATUS_CURRENT, why, "exists");
    return say_condition(condition_is(o, "Ready", "True") ? KSTATUS_CURRENT : KSTATUS_IN_PROGRESS, why, ready);
}

static const struct {
    const char *group; /* "" for the core group */
    const char *kind;
    enum kstatus (*rule)(const struct doc *o, char why[256]);
} rules[] = {
    {"apps", "Deployment", deployment},
    {"apps", "ReplicaSet", replica_set},
    {"apps", "StatefulSet", stateful_set},
    {"apps", "DaemonSet", daemon_set},
    {"batch", "Job", job},
    {"", "Pod", pod},
    {"", "PersistentVolumeClaim", pvc},
    {"", "Service", service},
    {"", "Namespace", ns},
    {"apiextensions.k8s.io", "CustomResourceDefinition", crd},
    {"apiregistration.k8s.io", "APIService", api_service},
};

static bool in_group(const struct doc *o, const char *group)
{
    const char *version = or_empty(doc_text(o, "apiVersion"));
    const char *slash = strchr(version, '/');
    size_t n = slash ? (size_t)(slash - version) : 0;
    return strlen(group) == n && strncmp(version, group, n) == 0;
}

enum kstatus kstatus(const struct doc *o, char why[256])
{
    int64_t generation = doc_int(o, "metadata.generation", -1), seen = doc_int(o, "status.observedGeneration", -1);
    if (doc_text(o, "metadata.deletionTimestamp"))
        return say(KSTATUS_TERMINATING, why, "being deleted");
    if (generation >= 0 && seen >= 0 && generation != seen)
        return say(KSTATUS_IN_PROGRESS, why, "generation %lld, its controller has seen %lld", (long long)generation,
                   (long long)seen);
    if (condition_is(o, "Stalled", "True"))
        return say_condition(KSTATUS_FAILED, why, condition(o, "Stalled"));
    if (condition_is(o, "Reconciling", "True"))
        return say_condition(KSTATUS_IN_PROGRESS, why, condition(o, "Reconciling"));
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (str_eq(doc_text(o, "kind"), rules[i].kind) && in_group(o, rules[i].group))
            return rules[i].rule(o, why);
    return other(o, why);
}

const char *kstatus_name(enum kstatus s)
{
    static const char *const names[] = {"Current", "InProgress", "Failed", "Terminating"};
    return names[s];
}
