/* Makes calls of the daemon's own process fail as a failing disk or share does, at random.
 *
 * Loaded with LD_PRELOAD, so that nothing in the daemon knows of it. Concerned is every call of libc, from Python or
 * from SQLite, in any thread, that names or uses a file or folder below one of the roots. Workers, which are told from
 * the daemon by their command line, are left alone.
 *
 *   FAULTS_ROOTS     absolute folders without links in them, separated by colons
 *   FAULTS_CONTROL   file of 32 bytes, mapped: how many of a million calls fail (changed while it runs), how many
 *                    calls there were, how many failed, how many of these were made all the same
 *   FAULTS_SEED      number of the series of chances
 *
 * A call that fails was either not made, or (a quarter of those that change something) made, and its answer was lost,
 * as happens on network shares.
 */
#include "interpose.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

struct control {
    _Atomic uint64_t rate, calls, faults, late;
};

static pid_t daemon_pid;
static const char *roots;
static uint64_t seed;
static struct control *control;
static _Atomic uint64_t drawn;

static const int OPENING[] = {EIO, EACCES, EMFILE, ENFILE, ENOMEM, EINTR, ESTALE};
static const int CREATING[] = {EIO, EACCES, EMFILE, ENOSPC, EROFS, EDQUOT, EINTR, ESTALE};
static const int READING[] = {EIO, EINTR, ESTALE, ENOMEM};
static const int LISTING[] = {EIO, ESTALE, ENOMEM};
static const int WRITING[] = {EIO, ENOSPC, EDQUOT, EINTR, ESTALE};
static const int SYNCING[] = {EIO, ENOSPC, EDQUOT, ESTALE};
static const int NAMING[] = {EIO, EACCES, ENOSPC, EROFS, ESTALE, EDQUOT};
static const int LOOKING[] = {EIO, EACCES, ESTALE, ENOMEM};
static const int CLOSING[] = {EIO, ENOSPC, EDQUOT};

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTS_CONTROL"), *number = getenv("FAULTS_SEED");
    roots = getenv("FAULTS_ROOTS");
    if (!roots || !path || !(command_has("ocrwatch.cli") || command_has("tests.crash.hasty")))
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (mapped == MAP_FAILED)
        return;
    control = mapped;
    seed = number ? strtoull(number, NULL, 10) : 0;
    daemon_pid = getpid();
}

/* One series for all threads. */
static uint64_t draw(void)
{
    return chance(seed, atomic_fetch_add(&drawn, 1) + 1);
}

static int is_ours(int folder, const char *given)
{
    char path[PATH_MAX];
    if (!given)
        return resolve(folder, path) && is_below(roots, path);
    if (given[0] == '/')
        return is_below(roots, given);
    return (folder == AT_FDCWD ? getcwd(path, sizeof path) != NULL : resolve(folder, path)) && is_below(roots, path);
}

/* Returns 0, or the error with which the call at hand is to fail. */
static int fault(int folder, const char *given, const int *errors, size_t count)
{
    int before = errno, found = 0;
    if (control && atomic_load(&control->rate) && getpid() == daemon_pid && is_ours(folder, given)) {
        atomic_fetch_add(&control->calls, 1);
        if (draw() % 1000000 < atomic_load(&control->rate)) {
            atomic_fetch_add(&control->faults, 1);
            found = errors[draw() % count];
        }
    }
    errno = before;
    return found;
}

static int is_late(int error)
{
    int late = error != EINTR && draw() % 4 == 0;
    if (late)
        atomic_fetch_add(&control->late, 1);
    return late;
}

#define FAIL(error, result)                                                                                            \
    do {                                                                                                               \
        errno = error;                                                                                                 \
        return result;                                                                                                 \
    } while (0)

/* What was opened all the same must not stay open. */
#define OPENED(folder, call)                                                                                           \
    int error = flags & O_CREAT ? fault(folder, path, CREATING, COUNT(CREATING))                                       \
                                : fault(folder, path, OPENING, COUNT(OPENING));                                        \
    if (error && flags & O_CREAT && is_late(error)) {                                                                  \
        int fd = call;                                                                                                 \
        if (fd >= 0)                                                                                                   \
            syscall(SYS_close, fd);                                                                                    \
    }                                                                                                                  \
    if (error)                                                                                                         \
        FAIL(error, -1);                                                                                               \
    return call

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        MODE(flags)                                                                                                    \
        OPENED(AT_FDCWD, real(path, flags, mode));                                                                     \
    }
#define OPENAT(name)                                                                                                   \
    int name(int folder, const char *path, int flags, ...)                                                             \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        MODE(flags)                                                                                                    \
        OPENED(folder, real(folder, path, flags, mode));                                                               \
    }

/* Calls that change nothing. */
#define LOOK(result, failed, name, parameters, arguments, folder, path, errors)                                       \
    result name parameters                                                                                             \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        int error = fault(folder, path, errors, COUNT(errors));                                                        \
        if (error)                                                                                                     \
            FAIL(error, failed);                                                                                       \
        return real arguments;                                                                                         \
    }
/* Calls that change something. */
#define CHANGE(name, parameters, arguments, folder, path, errors)                                                      \
    int name parameters                                                                                                \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        int error = fault(folder, path, errors, COUNT(errors));                                                        \
        if (error) {                                                                                                   \
            if (is_late(error))                                                                                        \
                (void)!real arguments;                                                                                 \
            FAIL(error, -1);                                                                                           \
        }                                                                                                              \
        return real arguments;                                                                                         \
    }
/* Writes may also get half of it done. */
#define WRITE(name, parameters, arguments, half)                                                                       \
    ssize_t name parameters                                                                                            \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        int error = fault(fd, NULL, WRITING, COUNT(WRITING));                                                          \
        if (error && n > 1 && is_late(error))                                                                          \
            return real half;                                                                                          \
        if (error)                                                                                                     \
            FAIL(error, -1);                                                                                           \
        return real arguments;                                                                                         \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

LOOK(ssize_t, -1, read, (int fd, void *data, size_t n), (fd, data, n), fd, NULL, READING)
LOOK(ssize_t, -1, pread, (int fd, void *data, size_t n, off_t at), (fd, data, n, at), fd, NULL, READING)
LOOK(ssize_t, -1, pread64, (int fd, void *data, size_t n, off64_t at), (fd, data, n, at), fd, NULL, READING)
WRITE(write, (int fd, const void *data, size_t n), (fd, data, n), (fd, data, n / 2))
WRITE(pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at), (fd, data, n / 2, at))
WRITE(pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at), (fd, data, n / 2, at))

CHANGE(fsync, (int fd), (fd), fd, NULL, SYNCING)
CHANGE(fdatasync, (int fd), (fd), fd, NULL, SYNCING)
CHANGE(ftruncate, (int fd, off_t size), (fd, size), fd, NULL, WRITING)
CHANGE(ftruncate64, (int fd, off64_t size), (fd, size), fd, NULL, WRITING)
CHANGE(fchmod, (int fd, mode_t mode), (fd, mode), fd, NULL, NAMING)
CHANGE(futimens, (int fd, const struct timespec times[2]), (fd, times), fd, NULL, NAMING)
CHANGE(utimensat, (int folder, const char *path, const struct timespec times[2], int flags),
       (folder, path, times, flags), folder, path, NAMING)

CHANGE(rename, (const char *old, const char *new), (old, new), AT_FDCWD, old, NAMING)
CHANGE(renameat, (int from, const char *old, int to, const char *new), (from, old, to, new), from, old, NAMING)
CHANGE(renameat2, (int from, const char *old, int to, const char *new, unsigned flags), (from, old, to, new, flags),
       from, old, NAMING)
CHANGE(link, (const char *old, const char *new), (old, new), AT_FDCWD, new, NAMING)
CHANGE(linkat, (int from, const char *old, int to, const char *new, int flags), (from, old, to, new, flags), to, new,
       NAMING)
CHANGE(unlink, (const char *path), (path), AT_FDCWD, path, NAMING)
CHANGE(unlinkat, (int folder, const char *path, int flags), (folder, path, flags), folder, path, NAMING)
CHANGE(mkdir, (const char *path, mode_t mode), (path, mode), AT_FDCWD, path, NAMING)
CHANGE(mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode), folder, path, NAMING)
CHANGE(rmdir, (const char *path), (path), AT_FDCWD, path, NAMING)

LOOK(int, -1, stat, (const char *path, struct stat *found), (path, found), AT_FDCWD, path, LOOKING)
LOOK(int, -1, stat64, (const char *path, struct stat64 *found), (path, found), AT_FDCWD, path, LOOKING)
LOOK(int, -1, lstat, (const char *path, struct stat *found), (path, found), AT_FDCWD, path, LOOKING)
LOOK(int, -1, lstat64, (const char *path, struct stat64 *found), (path, found), AT_FDCWD, path, LOOKING)
LOOK(int, -1, fstat, (int fd, struct stat *found), (fd, found), fd, NULL, LOOKING)
LOOK(int, -1, fstat64, (int fd, struct stat64 *found), (fd, found), fd, NULL, LOOKING)
LOOK(int, -1, fstatat, (int folder, const char *path, struct stat *found, int flags), (folder, path, found, flags),
     folder, path, LOOKING)
LOOK(int, -1, fstatat64, (int folder, const char *path, struct stat64 *found, int flags), (folder, path, found, flags),
     folder, path, LOOKING)
LOOK(int, -1, access, (const char *path, int wanted), (path, wanted), AT_FDCWD, path, LOOKING)
LOOK(int, -1, faccessat, (int folder, const char *path, int wanted, int flags), (folder, path, wanted, flags), folder,
     path, LOOKING)
LOOK(DIR *, NULL, opendir, (const char *path), (path), AT_FDCWD, path, LISTING)
LOOK(DIR *, NULL, fdopendir, (int fd), (fd), fd, NULL, LISTING)
LOOK(struct dirent *, NULL, readdir, (DIR * folder), (folder), dirfd(folder), NULL, LISTING)
LOOK(struct dirent64 *, NULL, readdir64, (DIR * folder), (folder), dirfd(folder), NULL, LISTING)

/* The file is closed in any case; what is told of is what could not be written behind (close(2)). */
int close(int fd)
{
    REAL(close);
    int error = 0, before = errno, flags = fcntl(fd, F_GETFL);
    errno = before;
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
        error = fault(fd, NULL, CLOSING, COUNT(CLOSING));
    int result = real(fd);
    if (error)
        FAIL(error, -1);
    return result;
}
