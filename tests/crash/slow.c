/* Makes the steps of ocrwatch's processes take their time, as on a slow disk, so that a test that holds only while
 * they are quick fails.
 *
 * Loaded with LD_PRELOAD into all that the tests start; concerned are processes with "ocrwatch" in their command line.
 *
 *   SLOW_MOST       microseconds that a step that is slow takes at most
 *   SLOW_CHANGES    how many in a thousand of the steps that change something are slow, before and after
 *   SLOW_LOOKS      how many in a thousand of the others
 */
#include "interpose.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

static long most, changes, looks;
static uint64_t seed;
static _Atomic uint64_t drawn;

static long number(const char *name)
{
    const char *value = getenv(name);
    return value ? atol(value) : 0;
}

__attribute__((constructor)) static void begin(void)
{
    struct timespec now;
    if (!command_has("ocrwatch"))
        return;
    most = number("SLOW_MOST");
    changes = number("SLOW_CHANGES");
    looks = number("SLOW_LOOKS");
    clock_gettime(CLOCK_REALTIME, &now);
    seed = (uint64_t)now.tv_nsec ^ (uint64_t)getpid();
}

static void hesitate(long in_a_thousand)
{
    if (!most || (long)(chance(seed, atomic_fetch_add(&drawn, 1)) % 1000) >= in_a_thousand)
        return;
    int before = errno;
    long microseconds = (long)(chance(seed, atomic_fetch_add(&drawn, 1)) % (uint64_t)most);
    struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&time, NULL);
    errno = before;
}

static void hesitate_to_open(int folder, const char *path, int flags)
{
    (void)folder, (void)path;
    hesitate(flags & O_CREAT ? changes : looks);
}

#define CHANGE(name, parameters, arguments)                                                                            \
    int name parameters                                                                                                \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        hesitate(changes);                                                                                             \
        int result = real arguments;                                                                                   \
        hesitate(changes);                                                                                             \
        return result;                                                                                                 \
    }
#define LOOK(result, name, parameters, arguments)                                                                      \
    result name parameters                                                                                             \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        hesitate(looks);                                                                                               \
        return real arguments;                                                                                         \
    }

OPENS_AFTER(hesitate_to_open)

CHANGE(fsync, (int fd), (fd))
CHANGE(fdatasync, (int fd), (fd))
CHANGE(rename, (const char *old, const char *new), (old, new))
CHANGE(renameat, (int from, const char *old, int to, const char *new), (from, old, to, new))
CHANGE(renameat2, (int from, const char *old, int to, const char *new, unsigned flags), (from, old, to, new, flags))
CHANGE(link, (const char *old, const char *new), (old, new))
CHANGE(linkat, (int from, const char *old, int to, const char *new, int flags), (from, old, to, new, flags))
CHANGE(unlink, (const char *path), (path))
CHANGE(unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
CHANGE(mkdir, (const char *path, mode_t mode), (path, mode))
CHANGE(mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode))
CHANGE(rmdir, (const char *path), (path))

LOOK(ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n))
LOOK(ssize_t, pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at))
LOOK(ssize_t, send, (int fd, const void *data, size_t n, int flags), (fd, data, n, flags))
LOOK(ssize_t, recv, (int fd, void *data, size_t n, int flags), (fd, data, n, flags))
LOOK(int, stat, (const char *path, struct stat *found), (path, found))
LOOK(int, stat64, (const char *path, struct stat64 *found), (path, found))
LOOK(int, lstat, (const char *path, struct stat *found), (path, found))
LOOK(int, lstat64, (const char *path, struct stat64 *found), (path, found))
LOOK(int, fstatat, (int folder, const char *path, struct stat *found, int flags), (folder, path, found, flags))
LOOK(int, fstatat64, (int folder, const char *path, struct stat64 *found, int flags), (folder, path, found, flags))
