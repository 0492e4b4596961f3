/* Kills the daemon (SIGKILL) just before the k-th step that changes something on a disk.
 *
 * Loaded with LD_PRELOAD, so that nothing in the daemon knows of it. A step is a call of libc, from Python or from
 * SQLite, in any thread, that changes a file or folder below one of the roots, or makes such a change durable.
 * Steps of the processes that split files and join pages count too, since they write to the daemon's folders: what is
 * simulated is the end of the whole program while one of them writes. If only such a process dies, the daemon goes on,
 * which other tests cover. Workers write to no folder. Processes are told apart by their command lines.
 *
 *   KILLSTEP_ROOTS     absolute folders without links in them, separated by colons
 *   KILLSTEP_AT        k, counted from 1; 0 kills never
 *   KILLSTEP_LOG       file to which each step is appended as "number name path" before it is made
 *   KILLSTEP_NO_NOREPLACE  if set, the file systems know no rename without replacing (as on NFS)
 *   KILLSTEP_NO_LINK       if set, they know no hard links (as with rclone, where link(2) answers EIO)
 */
#include "interpose.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

static pid_t daemon_pid, own_pid;
static const char *roots;
static long kill_at;
static int log_fd = -1;
static int no_noreplace, no_link;
/* Shared with the other processes: in the file KILLSTEP_LOG.count. */
static atomic_long *steps;

/* The daemon begins to count, before it starts another process. */
static int share_count(const char *log, int is_daemon)
{
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s.count", log);
    int fd = (int)raw(SYS_openat, AT_FDCWD, (long)name, O_RDWR | O_CLOEXEC | (is_daemon ? O_CREAT | O_TRUNC : 0), 0600);
    if (fd < 0 || (is_daemon && raw(SYS_ftruncate, fd, sizeof *steps, 0, 0) != 0))
        return 0;
    void *shared = mmap(NULL, sizeof *steps, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    raw(SYS_close, fd, 0, 0, 0);
    steps = shared;
    return shared != MAP_FAILED;
}

__attribute__((constructor)) static void begin(void)
{
    const char *log = getenv("KILLSTEP_LOG"), *at = getenv("KILLSTEP_AT");
    roots = getenv("KILLSTEP_ROOTS");
    int is_daemon = command_has("ocrwatch.cli");
    if (!is_daemon && !command_has("ocrwatch.splitting") && !command_has("ocrwatch.render.joining"))
        return;
    if (!roots || !log || !share_count(log, is_daemon))
        return;
    kill_at = at ? atol(at) : 0;
    no_noreplace = getenv("KILLSTEP_NO_NOREPLACE") != NULL;
    no_link = getenv("KILLSTEP_NO_LINK") != NULL;
    log_fd = (int)raw(SYS_openat, AT_FDCWD, (long)log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* Out of the way of the numbers that others expect. */
    int high = fcntl(log_fd, F_DUPFD_CLOEXEC, 200);
    if (high >= 0) {
        raw(SYS_close, log_fd, 0, 0, 0);
        log_fd = high;
    }
    own_pid = getpid();
    daemon_pid = is_daemon ? own_pid : getppid();
}

static void step(const char *name, const char *path)
{
    if (!is_below(roots, path))
        return;
    long number = atomic_fetch_add(steps, 1) + 1;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", number, name, path);
    raw(SYS_write, log_fd, (long)line, length, 0);
    if (number == kill_at) {
        raw(SYS_kill, daemon_pid, SIGKILL, 0, 0);
        raw(SYS_kill, own_pid, SIGKILL, 0, 0);
        for (;;)
            pause();
    }
}

static int is_watched(void)
{
    return own_pid && getpid() == own_pid;
}

static void step_fd(const char *name, int fd)
{
    char path[PATH_MAX];
    int before = errno;
    if (is_watched() && resolve(fd, path))
        step(name, path);
    errno = before;
}

static void step_at(const char *name, int folder, const char *given)
{
    char path[2 * PATH_MAX + 2];
    int before = errno;
    if (!is_watched() || !given)
        return;
    if (given[0] == '/') {
        step(name, given);
    } else if (folder == AT_FDCWD ? getcwd(path, PATH_MAX) != NULL : resolve(folder, path)) {
        size_t length = strlen(path);
        snprintf(path + length, sizeof path - length, "/%s", given);
        step(name, path);
    }
    errno = before;
}

static void step_open(int folder, const char *path, int flags)
{
    if (flags & (O_CREAT | O_TRUNC))
        step_at("open", folder, path);
}

#define BY_FD(result, name, parameters, arguments, fd)                                                                 \
    result name parameters                                                                                             \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        step_fd(#name, fd);                                                                                            \
        return real arguments;                                                                                         \
    }
#define BY_NAME(name, parameters, arguments, folder, path)                                                             \
    int name parameters                                                                                                \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        step_at(#name, folder, path);                                                                                  \
        return real arguments;                                                                                         \
    }

OPENS_AFTER(step_open)

BY_FD(ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n), fd)
BY_FD(ssize_t, pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at), fd)
BY_FD(ssize_t, pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at), fd)
BY_FD(ssize_t, writev, (int fd, const struct iovec *parts, int n), (fd, parts, n), fd)
BY_FD(int, ftruncate, (int fd, off_t size), (fd, size), fd)
BY_FD(int, ftruncate64, (int fd, off64_t size), (fd, size), fd)
BY_FD(int, posix_fallocate, (int fd, off_t at, off_t n), (fd, at, n), fd)
BY_FD(int, posix_fallocate64, (int fd, off64_t at, off64_t n), (fd, at, n), fd)
BY_FD(int, fsync, (int fd), (fd), fd)
BY_FD(int, fdatasync, (int fd), (fd), fd)
BY_FD(int, fchmod, (int fd, mode_t mode), (fd, mode), fd)
BY_FD(int, fchown, (int fd, uid_t user, gid_t group), (fd, user, group), fd)
BY_FD(int, futimens, (int fd, const struct timespec times[2]), (fd, times), fd)
BY_FD(ssize_t, sendfile, (int to, int from, off_t *at, size_t n), (to, from, at, n), to)
BY_FD(ssize_t, sendfile64, (int to, int from, off64_t *at, size_t n), (to, from, at, n), to)
BY_FD(ssize_t, copy_file_range, (int from, off64_t *a, int to, off64_t *b, size_t n, unsigned flags),
      (from, a, to, b, n, flags), to)

BY_NAME(rename, (const char *old, const char *new), (old, new), AT_FDCWD, old)
BY_NAME(renameat, (int from, const char *old, int to, const char *new), (from, old, to, new), from, old)
BY_NAME(link, (const char *old, const char *new), (old, new), AT_FDCWD, new)
BY_NAME(unlink, (const char *path), (path), AT_FDCWD, path)
BY_NAME(unlinkat, (int folder, const char *path, int flags), (folder, path, flags), folder, path)
BY_NAME(mkdir, (const char *path, mode_t mode), (path, mode), AT_FDCWD, path)
BY_NAME(mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode), folder, path)
BY_NAME(rmdir, (const char *path), (path), AT_FDCWD, path)

static int exists(int folder, const char *name)
{
    struct stat found;
    return fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) == 0;
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
    REAL(linkat);
    if (no_link && is_watched()) {
        errno = exists(to, new) ? EEXIST : EIO;
        return -1;
    }
    step_at("linkat", to, new);
    return real(from, old, to, new, flags);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    REAL(renameat2);
    if (flags && no_noreplace) {
        /* The kernel looks whether the name is taken before it asks the file system. */
        errno = exists(to, new) ? EEXIST : EINVAL;
        return -1;
    }
    step_at("renameat2", from, old);
    return real(from, old, to, new, flags);
}

/* Whoever goes past the wrappers above is seen here. */
long syscall(long number, ...)
{
    REAL(syscall);
    va_list rest;
    va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long);
    long d = va_arg(rest, long), e = va_arg(rest, long), f = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_renameat2 || number == SYS_renameat || number == SYS_unlinkat || number == SYS_mkdirat)
        step_at("syscall", (int)a, (const char *)b);
    else if (number == SYS_write || number == SYS_pwrite64 || number == SYS_fsync || number == SYS_fdatasync)
        step_fd("syscall", (int)a);
    return real(number, a, b, c, d, e, f);
}
