/* Upload and download speed against a real sshd on loopback: ssh_bench [MiB] [cipher]. */
#include "base/clock.h"
#include "base/str.h"
#include "ssh/rig.h"

#include <string.h>
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

static void measure(const struct rig *r, bool up, uint64_t mib)
{
    const char *keys[1];
    struct ssh_target t = rig_target(r, keys);
    OWN(ssh_freep) struct ssh *s = NULL;
    OWN_FD int fd = -1;
    int64_t from = clock_ms();
    check(ssh_open(&s, &t, NULL));
    int64_t opened = clock_ms();
    check(ssh_exec(s, up ? "cat >/dev/null" : "cat /dev/zero", &fd));
    move(fd, up, mib << 20);
    if (up)
        check(ssh_wait(s, NULL, -1, NULL));
    double seconds = (double)(clock_ms() - opened) / 1000;
    (void)printf("%-32s %-4s %7.1f MB/s  login %lld ms\n", ssh_cipher(s), up ? "up" : "down",
                 (double)(mib << 20) / 1e6 / seconds, (long long)(opened - from));
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
