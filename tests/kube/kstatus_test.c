/* Tables over the kstatus rules: object in YAML, expected state, a part of the reason. */
#include "kube/kstatus.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *name, *object;
    enum kstatus want;
    const char *why;
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        OWN_DOC struct doc *o = NULL;
        char why[256] = "";
        struct err *e = doc_yaml(&o, rows[i].name, rows[i].object, strlen(rows[i].object));
        if (e)
            print_error("%s: %s\n", rows[i].name, err_text(e));
        assert_null(e);
        enum kstatus got = kstatus(o, why);
        if (got != rows[i].want || !strstr(why, rows[i].why))
            print_error("%s: %s: %s\n", rows[i].name, kstatus_name(got), why);
        assert_int_equal(got, rows[i].want);
        assert_non_null(strstr(why, rows[i].why));
    }
}

#define DEPLOYMENT "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, generation: 2}, "
#define DS "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: d, generation: 1}, "
#define STS "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s, generation: 1}, "
#define RS "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r, generation: 1}, "
#define JOB "{apiVersion: batch/v1, kind: Job, metadata: {name: j, generation: 1}, "
#define POD "{apiVersion: v1, kind: Pod, metadata: {name: p}, "
#define CRD "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: c}, "
#define NS "{apiVersion: v1, kind: Namespace, metadata: {name: n}, "

#define DONE                                                                                                           \
    "conditions: [{type: Progressing, status: 'True', reason: NewReplicaSetAvailable}, {type: Available, status: "     \
    "'True'}]"

static void test_deployment(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"new", DEPLOYMENT "spec: {replicas: 2}}", KSTATUS_IN_PROGRESS, "not seen"},
        {"old generation",
         DEPLOYMENT "spec: {replicas: 2}, status: {observedGeneration: 1, replicas: 2, "
                    "updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2, " DONE "}}",
         KSTATUS_IN_PROGRESS, "generation 2"},
        {"none made", DEPLOYMENT "spec: {replicas: 2}, status: {observedGeneration: 2}}", KSTATUS_IN_PROGRESS,
         "replicas: 0/2"},
        {"half updated",
         DEPLOYMENT "spec: {replicas: 2}, status: {observedGeneration: 2, replicas: 2, "
                    "updatedReplicas: 1}}",
         KSTATUS_IN_PROGRESS, "updated: 1/2"},
        {"old ones left",
         DEPLOYMENT "spec: {replicas: 2}, status: {observedGeneration: 2, replicas: 3, "
                    "updatedReplicas: 2}}",
         KSTATUS_IN_PROGRESS, "pending termination: 1"},
        {"not available",
         DEPLOYMENT "spec: {replicas: 2}, status: {observedGeneration: 2, replicas: 2, "
                    "updatedReplicas: 2, availableReplicas: 1}}",
         KSTATUS_IN_PROGRESS, "available: 1/2"},
        {"not ready",
         DEPLOYMENT "spec: {replicas: 2}, status: {observedGeneration: 2, replicas: 2, "
                    "updatedReplicas: 2, availableReplicas: 2, readyReplicas: 1}}",
         KSTATUS_IN_PROGRESS, "ready: 1/2"},
        {"no Progressing",
         DEPLOYMENT "spec: {replicas: 1, progressDeadlineSeconds: 600}, status: {observedGeneration: 2, "
                    "replicas: 1, updatedReplicas: 1, availableReplicas: 1, readyReplicas: 1}}",
         KSTATUS_IN_PROGRESS, "ReplicaSet"},
        {"done",
         DEPLOYMENT "spec: {replicas: 1}, status: {observedGeneration: 2, replicas: 1, updatedReplicas: 1, "
                    "availableReplicas: 1, readyReplicas: 1, " DONE "}}",
         KSTATUS_CURRENT, "available: 1"},
        {"default is one replica", DEPLOYMENT "spec: {}, status: {observedGeneration: 2}}", KSTATUS_IN_PROGRESS, "0/1"},
        {"zero wanted", DEPLOYMENT "spec: {replicas: 0}, status: {observedGeneration: 2, " DONE "}}", KSTATUS_CURRENT,
         ""},
        {"no deadline",
         DEPLOYMENT
         "spec: {replicas: 1, progressDeadlineSeconds: 2147483647}, status: {observedGeneration: "
         "2, replicas: 1, updatedReplicas: 1, availableReplicas: 1, readyReplicas: 1, conditions: [{type: Available, "
         "status: 'True'}]}}",
         KSTATUS_CURRENT, ""},
        {"deadline passed",
         DEPLOYMENT "spec: {replicas: 1}, status: {observedGeneration: 2, conditions: [{type: "
                    "Progressing, status: 'False', reason: ProgressDeadlineExceeded, message: took too long}]}}",
         KSTATUS_FAILED, "took too long"},
        {"being deleted", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, deletionTimestamp: x}}",
         KSTATUS_TERMINATING, "deleted"},
    };
    check(rows, ARRAY_LEN(rows));
}

static void test_daemon_set(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"zeros before its controller",
         DS "status: {currentNumberScheduled: 0, desiredNumberScheduled: 0, "
            "numberMisscheduled: 0, numberReady: 0}}",
         KSTATUS_IN_PROGRESS, "not seen"},
        {"no status", DS "status: {observedGeneration: 1}}", KSTATUS_IN_PROGRESS, "wanted"},
        {"no node fits", DS "status: {observedGeneration: 1, desiredNumberScheduled: 0}}", KSTATUS_CURRENT, "ready: 0"},
        {"scheduled", DS "status: {observedGeneration: 1, desiredNumberScheduled: 3, currentNumberScheduled: 2}}",
         KSTATUS_IN_PROGRESS, "scheduled: 2/3"},
        {"updated",
         DS "status: {observedGeneration: 1, desiredNumberScheduled: 3, currentNumberScheduled: 3, "
            "updatedNumberScheduled: 1, numberAvailable: 3, numberReady: 3}}",
         KSTATUS_IN_PROGRESS, "updated: 1/3"},
        {"by hand",
         DS "spec: {updateStrategy: {type: OnDelete}}, status: {observedGeneration: 1, desiredNumberScheduled: "
            "1, currentNumberScheduled: 1, numberAvailable: 1, numberReady: 1}}",
         KSTATUS_CURRENT, "ready: 1"},
        {"available",
         DS "status: {observedGeneration: 1, desiredNumberScheduled: 3, currentNumberScheduled: 3, "
            "updatedNumberScheduled: 3, numberAvailable: 2, numberReady: 3}}",
         KSTATUS_IN_PROGRESS, "available: 2/3"},
        {"done",
         DS "status: {observedGeneration: 1, desiredNumberScheduled: 3, currentNumberScheduled: 3, "
            "updatedNumberScheduled: 3, numberAvailable: 3, numberReady: 3}}",
         KSTATUS_CURRENT, "ready: 3"},
    };
    check(rows, ARRAY_LEN(rows));
}

static void test_stateful_and_replica_set(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"new", STS "spec: {replicas: 1}, status: {replicas: 0}}", KSTATUS_IN_PROGRESS, "not seen"},
        {"on delete", STS "spec: {updateStrategy: {type: OnDelete}}}", KSTATUS_CURRENT, "deleted"},
        {"replicas", STS "spec: {replicas: 3}, status: {observedGeneration: 1, replicas: 1}}", KSTATUS_IN_PROGRESS,
         "replicas: 1/3"},
        {"ready", STS "spec: {replicas: 3}, status: {observedGeneration: 1, replicas: 3, readyReplicas: 2}}",
         KSTATUS_IN_PROGRESS, "ready: 2/3"},
        {"too many", STS "spec: {replicas: 1}, status: {observedGeneration: 1, replicas: 3, readyReplicas: 3}}",
         KSTATUS_IN_PROGRESS, "pending termination: 2"},
        {"partition",
         STS "spec: {replicas: 3, updateStrategy: {rollingUpdate: {partition: 1}}}, status: "
             "{observedGeneration: 1, replicas: 3, readyReplicas: 3, updatedReplicas: 1}}",
         KSTATUS_IN_PROGRESS, "updated: 1/2"},
        {"partition done",
         STS "spec: {replicas: 3, updateStrategy: {rollingUpdate: {partition: 1}}}, status: "
             "{observedGeneration: 1, replicas: 3, readyReplicas: 3, updatedReplicas: 2}}",
         KSTATUS_CURRENT, "partition"},
        {"partition 0 rolls",
         STS "spec: {replicas: 1, updateStrategy: {rollingUpdate: {partition: 0}}}, status: "
             "{observedGeneration: 1, replicas: 1, readyReplicas: 1, currentReplicas: 1, currentRevision: a, "
             "updateRevision: "
             "b}}",
         KSTATUS_IN_PROGRESS, "revision b"},
        {"current", STS "spec: {replicas: 1}, status: {observedGeneration: 1, replicas: 1, readyReplicas: 1}}",
         KSTATUS_IN_PROGRESS, "current: 0/1"},
        {"done",
         STS "spec: {replicas: 1}, status: {observedGeneration: 1, replicas: 1, readyReplicas: 1, "
             "currentReplicas: 1, currentRevision: a, updateRevision: a}}",
         KSTATUS_CURRENT, "ready: 1"},
        {"rs done",
         RS "spec: {replicas: 1}, status: {observedGeneration: 1, replicas: 1, readyReplicas: 1, "
            "availableReplicas: 1, fullyLabeledReplicas: 1}}",
         KSTATUS_CURRENT, "ready: 1"},
        {"rs fails",
         RS "status: {observedGeneration: 1, conditions: [{type: ReplicaFailure, status: 'True', reason: "
            "FailedCreate, message: quota}]}}",
         KSTATUS_IN_PROGRESS, "quota"},
        {"rs short",
         RS "spec: {replicas: 2}, status: {observedGeneration: 1, replicas: 2, fullyLabeledReplicas: 2, "
            "availableReplicas: 1}}",
         KSTATUS_IN_PROGRESS, "available: 1/2"},
    };
    check(rows, ARRAY_LEN(rows));
}

static void test_job_and_pod(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"new job", JOB "status: {}}", KSTATUS_IN_PROGRESS, "not started"},
        {"running job", JOB "status: {startTime: x, active: 1, failed: 2}}", KSTATUS_IN_PROGRESS,
         "1 active, 0 succeeded, 2"},
        {"done job", JOB "status: {startTime: x, conditions: [{type: Complete, status: 'True'}]}}", KSTATUS_CURRENT,
         ""},
        {"failed job", JOB "status: {conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded}]}}",
         KSTATUS_FAILED, "BackoffLimitExceeded"},
        {"not yet failed job", JOB "status: {startTime: x, conditions: [{type: Failed, status: 'False'}]}}",
         KSTATUS_IN_PROGRESS, "running"},
        {"suspended job", JOB "status: {conditions: [{type: Suspended, status: 'True'}]}}", KSTATUS_CURRENT,
         "suspended"},
        {"new pod", POD "spec: {}}", KSTATUS_IN_PROGRESS, "no phase"},
        {"no room",
         POD "status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: "
             "Unschedulable, message: 0/3 nodes}]}}",
         KSTATUS_IN_PROGRESS, "Unschedulable: 0/3 nodes"},
        {"image",
         POD "status: {phase: Pending, containerStatuses: [{name: c, state: {waiting: {reason: "
             "ErrImageNeverPull, message: not there}}}]}}",
         KSTATUS_IN_PROGRESS, "c: ErrImageNeverPull: not there"},
        {"crash loop",
         POD "status: {phase: Running, conditions: [{type: Ready, status: 'False'}], containerStatuses: "
             "[{name: c, state: {waiting: {reason: CrashLoopBackOff}}}]}}",
         KSTATUS_IN_PROGRESS, "CrashLoopBackOff"},
        {"not ready", POD "status: {phase: Running, conditions: [{type: Ready, status: 'False'}]}}",
         KSTATUS_IN_PROGRESS, "Running, not ready"},
        {"ready", POD "status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}}", KSTATUS_CURRENT,
         "ready"},
        {"succeeded", POD "status: {phase: Succeeded}}", KSTATUS_CURRENT, "succeeded"},
        {"evicted", POD "status: {phase: Failed, reason: Evicted, message: disk}}", KSTATUS_FAILED, "Evicted disk"},
    };
    check(rows, ARRAY_LEN(rows));
}

static void test_cluster_kinds(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"new crd", CRD "spec: {}}", KSTATUS_IN_PROGRESS, "not established"},
        {"installing crd", CRD "status: {conditions: [{type: Established, status: 'False', reason: Installing}]}}",
         KSTATUS_IN_PROGRESS, "not established"},
        {"crd name clash", CRD "status: {conditions: [{type: NamesAccepted, status: 'False', reason: Conflict}]}}",
         KSTATUS_FAILED, "Conflict"},
        {"crd refused", CRD "status: {conditions: [{type: Established, status: 'False', reason: NotAccepted}]}}",
         KSTATUS_FAILED, "NotAccepted"},
        {"crd",
         CRD "status: {conditions: [{type: NamesAccepted, status: 'True'}, {type: Established, status: 'True'}]}}",
         KSTATUS_CURRENT, "established"},
        {"namespace", NS "status: {phase: Active}}", KSTATUS_CURRENT, "Active"},
        {"leaving namespace", NS "status: {phase: Terminating}}", KSTATUS_TERMINATING, ""},
        {"new namespace", NS "spec: {}}", KSTATUS_IN_PROGRESS, ""},
        {"pvc", "{apiVersion: v1, kind: PersistentVolumeClaim, status: {phase: Pending}}", KSTATUS_IN_PROGRESS,
         "Pending"},
        {"bound pvc", "{apiVersion: v1, kind: PersistentVolumeClaim, status: {phase: Bound}}", KSTATUS_CURRENT,
         "Bound"},
        {"service", "{apiVersion: v1, kind: Service, spec: {type: ClusterIP, clusterIP: 10.96.0.10}}", KSTATUS_CURRENT,
         "10.96.0.10"},
        {"balancer without address", "{apiVersion: v1, kind: Service, spec: {type: LoadBalancer}}", KSTATUS_IN_PROGRESS,
         "address"},
        {"service of another group", "{apiVersion: serving.example.dev/v1, kind: Service, spec: {type: LoadBalancer}}",
         KSTATUS_CURRENT, "exists"},
        {"api service",
         "{apiVersion: apiregistration.k8s.io/v1, kind: APIService, status: {conditions: [{type: Available, "
         "status: 'False', reason: MissingEndpoints}]}}",
         KSTATUS_IN_PROGRESS, "MissingEndpoints"},
        {"config map", "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}", KSTATUS_CURRENT, "exists"},
        {"custom ready", "{apiVersion: x.dev/v1, kind: X, status: {conditions: [{type: Ready, status: 'True'}]}}",
         KSTATUS_CURRENT, "Ready"},
        {"custom not ready",
         "{apiVersion: x.dev/v1, kind: X, status: {conditions: [{type: Ready, status: 'False', message: "
         "why}]}}",
         KSTATUS_IN_PROGRESS, "why"},
        {"custom unknown", "{apiVersion: x.dev/v1, kind: X, status: {conditions: [{type: Ready, status: Unknown}]}}",
         KSTATUS_IN_PROGRESS, "Unknown"},
        {"stalled",
         "{apiVersion: x.dev/v1, kind: X, status: {conditions: [{type: Stalled, status: 'True', reason: Bad}, "
         "{type: Ready, status: 'True'}]}}",
         KSTATUS_FAILED, "Bad"},
        {"reconciling", "{apiVersion: x.dev/v1, kind: X, status: {conditions: [{type: Reconciling, status: 'True'}]}}",
         KSTATUS_IN_PROGRESS, "Reconciling"},
        {"empty", "{}", KSTATUS_CURRENT, "exists"},
    };
    check(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deployment),
        cmocka_unit_test(test_daemon_set),
        cmocka_unit_test(test_stateful_and_replica_set),
        cmocka_unit_test(test_job_and_pod),
        cmocka_unit_test(test_cluster_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
