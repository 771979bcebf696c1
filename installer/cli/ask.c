#include "cli/ask.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <termios.h>

bool ask_can(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* The terminal gives whole lines; what does not fit into `ret` is dropped with the rest of the line. */
static struct err *read_line(char *ret, size_t n, const struct cancel *c)
{
    size_t len = 0;
    for (char ch;;) {
        ret[len] = '\0';
        TRY(wait_fd(STDIN_FILENO, POLLIN, -1, c));
        ssize_t got = read(STDIN_FILENO, &ch, 1);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0 || ch == '\n')
            return NULL;
        if (len + 1 < n)
            ret[len++] = ch;
    }
}

static struct err *ask(char *ret, size_t n, const struct cancel *c, struct buf *question)
{
    text_clean(question->at, question->len, 1);
    TRY(fd_write_all(STDERR_FILENO, question->at, question->len));
    return read_line(ret, n, c);
}

static __attribute__((format(printf, 4, 0))) struct err *ask_with(struct cli *x, char *ret, size_t n, const char *fmt,
                                                                  va_list ap)
{
    OWN_FREE char *text = NULL;
    if (vasprintf(&text, fmt, ap) < 0)
        return err_os(ENOMEM, "question");
    OWN_BUF struct buf question = {0};
    TRY(buf_str(&question, text));
    face_pause(x->face);
    struct err *e = ask(ret, n, &x->cancel, &question);
    face_resume(x->face);
    return e;
}

struct err *ask_line(struct cli *x, char *ret, size_t n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct err *e = ask_with(x, ret, n, fmt, ap);
    va_end(ap);
    return e;
}

struct err *ask_secret(struct cli *x, char *ret, size_t n, const char *fmt, ...)
{
    struct termios shown, hidden;
    va_list ap;
    if (tcgetattr(STDIN_FILENO, &shown) < 0)
        return err_os(errno, "terminal");
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    hidden.c_lflag |= ECHONL; /* the end of the line is still seen */
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) < 0)
        return err_os(errno, "terminal");
    va_start(ap, fmt);
    struct err *e = ask_with(x, ret, n, fmt, ap);
    va_end(ap);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &shown);
    return e;
}
