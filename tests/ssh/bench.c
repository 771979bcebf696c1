/*
 * Upload and download against a real sshd on loopback: ssh_bench [MiB] [cipher]. The speed depends on who else uses the
 * machine; the processor time of this side per gigabyte does so much less and is what ciphers are compared by.
 */
#include "base/clock.h"
#include "base/str.h"
#include "ssh/rig.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

static char chunk[1 << 18];

static void check(struct err *e)
{
    if (!e)
        return;
    (void)fprintf(stderr, "%s\n", err_text(e));
    exit(1);
}

static void move(int fd, bool up, uint64_t total)
{
    for (uint64_t done = 0; done < total;) {
        ssize_t n = up ? write(fd, chunk, sizeof chunk) : read(fd, chunk, sizeof chunk);
        if (n <= 0)
            break;
        done += (uint64_t)n;
    }
    (void)shutdown(fd, SHUT_WR);
}

/* Processor seconds of this process so far, both kinds. */
static double cpu_seconds(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void measure(const struct rig *r, bool up, uint64_t mib)
{
    const char *keys[1];
    struct ssh_target t = rig_target(r, keys);
    OWN(ssh_freep) struct ssh *s = NULL;
    OWN_FD int fd = -1;
    int64_t from = clock_ms();
    check(ssh_open(&s, &t, NULL));
    int64_t opened = clock_ms();
    double cpu = cpu_seconds(), gb = (double)(mib << 20) / 1e9;
    check(ssh_exec(s, up ? "cat >/dev/null" : "cat /dev/zero", &fd));
    move(fd, up, mib << 20);
    if (up)
        check(ssh_wait(s, NULL, -1, NULL));
    double seconds = (double)(clock_ms() - opened) / 1000;
    (void)printf("%-32s %-4s %7.1f MB/s  %5.2f CPU s/GB  login %lld ms\n", ssh_cipher(s), up ? "up" : "down",
                 gb * 1000 / seconds, (cpu_seconds() - cpu) / gb, (long long)(opened - from));
}

int main(int argc, char **argv)
{
    int64_t mib = 1024;
    struct rig r;
    OWN_FREE char *extra = str_fmt("%s%s\n", argc > 2 ? "Ciphers " : "", argc > 2 ? argv[2] : "");
    if (argc > 1 && !str_int(argv[1], 1, 1 << 20, &mib))
        return 64;
    const char *why = rig_start(&r, extra ? extra : "");
    if (why) {
        (void)fprintf(stderr, "%s\n", why);
        return 77;
    }
    measure(&r, true, (uint64_t)mib);
    measure(&r, false, (uint64_t)mib);
    rig_stop(&r);
    return 0;
}
