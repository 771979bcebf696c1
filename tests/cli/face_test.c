/* The faces under many threads and hosts; run with the tsan preset as well. */
#include "check.h"

#include "cli/face.h"

#include <pthread.h>

enum { THREADS = 8, ROUNDS = 400 };

struct worker {
    const struct events *to;
    int number;
};

static void *work(void *arg)
{
    const struct worker *w = arg;
    char host[16];
    for (int i = 0; i < ROUNDS; i++) {
        (void)snprintf(host, sizeof host, "h-%d", w->number * 10 + i % 10);
        event_emit(w->to, EVENT_STEP, host, "step %d", i);
        event_progress(w->to, host, "send", (uint64_t)i * 10, ROUNDS * 10);
        if (i % 100 == 0)
            event_emit(w->to, EVENT_NOTE, host, "note %d", i);
        event_emit(w->to, i % 7 ? EVENT_DONE : EVENT_FAILED, host, "end %d", i);
    }
    return NULL;
}

static void crowd(enum face_kind kind)
{
    OWN_FACE struct face *f = NULL;
    OWN_FD int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    OK(face_open(&f, &(struct face_opts){kind, fd, true, true}));
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){face_events(f), i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        face_pause(f);
        face_resume(f);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    face_finish(f);
    event_emit(face_events(f), EVENT_NOTE, NULL, "too late"); /* dropped */
}

static void terminal(void **state)
{
    (void)state;
    crowd(FACE_TERMINAL);
}

static void plain(void **state)
{
    (void)state;
    crowd(FACE_PLAIN);
}

static void json(void **state)
{
    (void)state;
    crowd(FACE_JSON);
}

/* More hosts than lines: the frame fits the screen, failed hosts come first, done ones are only counted. */
static void many_hosts(void **state)
{
    (void)state;
    OWN_FACE struct face *f = NULL;
    OWN_BUF struct buf text = {0};
    FILE *out = tmpfile();
    char host[16];
    assert_non_null(out);
    OK(face_open(&f, &(struct face_opts){FACE_TERMINAL, fileno(out), false, true}));
    for (int i = 0; i < 100; i++) {
        (void)snprintf(host, sizeof host, "h-%03d", i);
        event_emit(face_events(f), i == 90 ? EVENT_FAILED : EVENT_DONE, host, "end");
    }
    face_finish(f);
    (void)lseek(fileno(out), 0, SEEK_SET);
    OK(fd_read_all(fileno(out), &text));
    (void)fclose(out);
    assert_non_null(strstr(buf_text(&text), "h-090   failed  end\n"));
    assert_null(strstr(buf_text(&text), "h-089"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terminal),
        cmocka_unit_test(plain),
        cmocka_unit_test(json),
        cmocka_unit_test(many_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
