/* What the libraries here, which stand between the daemon and libc, have in common. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* libc's own function of this name, as "real". */
#define REAL(name)                                                                                                     \
    static __typeof__(&name) real;                                                                                     \
    if (!real)                                                                                                         \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* The mode that open(2) has only with some flags. */
#define MODE(flags)                                                                                                    \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                           \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }

/* Defines the four ways to open a file, each of which first calls before(folder, path, flags). */
#define OPENS_AFTER(before)                                                                                            \
    OPEN_AFTER(open, before)                                                                                           \
    OPEN_AFTER(open64, before)                                                                                         \
    OPENAT_AFTER(openat, before)                                                                                       \
    OPENAT_AFTER(openat64, before)
#define OPEN_AFTER(name, before)                                                                                       \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        MODE(flags)                                                                                                    \
        before(AT_FDCWD, path, flags);                                                                                 \
        return real(path, flags, mode);                                                                                \
    }
#define OPENAT_AFTER(name, before)                                                                                     \
    int name(int folder, const char *path, int flags, ...)                                                             \
    {                                                                                                                  \
        REAL(name);                                                                                                    \
        MODE(flags)                                                                                                    \
        before(folder, path, flags);                                                                                   \
        return real(folder, path, flags, mode);                                                                        \
    }

/* libc's own, where one of ours would count the call. */
static long raw(long number, long a, long b, long c, long d)
{
    static __typeof__(&syscall) real;
    if (!real)
        real = (__typeof__(&syscall))dlsym(RTLD_NEXT, "syscall");
    return real(number, a, b, c, d);
}

/* Whether this process was started with such a command line: a daemon's workers are told from it by theirs. */
static int command_has(const char *part)
{
    char command[4096];
    int fd = (int)raw(SYS_openat, AT_FDCWD, (long)"/proc/self/cmdline", O_RDONLY, 0);
    long length = raw(SYS_read, fd, (long)command, sizeof command, 0);
    raw(SYS_close, fd, 0, 0, 0);
    return length > 0 && memmem(command, (size_t)length, part, strlen(part)) != NULL;
}

/* Roots are absolute folders without links in them, separated by colons. */
__attribute__((unused)) static int is_below(const char *roots, const char *path)
{
    for (const char *root = roots; *root;) {
        size_t length = strcspn(root, ":");
        if (!strncmp(path, root, length) && (path[length] == '/' || !path[length]))
            return 1;
        root += length + (root[length] == ':');
    }
    return 0;
}

/* Puts the path of an open file into "path", of PATH_MAX bytes. */
__attribute__((unused)) static int resolve(int fd, char *path)
{
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = raw(SYS_readlinkat, AT_FDCWD, (long)link, (long)path, PATH_MAX - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return 1;
}

/* The n-th number of the series that belongs to a seed (splitmix64). */
__attribute__((unused)) static uint64_t chance(uint64_t seed, uint64_t n)
{
    uint64_t z = (seed << 32) + 0x9e3779b97f4a7c15u * n;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
