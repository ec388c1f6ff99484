/* Loaded before libc: writes down every change of a file below a folder, and ends the process, as
   kill -9 does, before the n-th change of one kind.

   A kind is an operation and a pattern for the name below the folder. Operations are opening for
   writing, write, sendfile, fsync, truncate, chmod, rename, unlink, mkdir and rmdir. A write that
   the process dies in is torn: its first half reaches the file. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define LONGEST 4096

static char prefix[LONGEST], wanted[32], pattern[LONGEST];
static long left;
static int journal = -1;

/* Begin to write down, in a file outside of the folder, and to count. */
void kill_at_arm(const char *folder, const char *record, const char *operation, const char *name,
                 long number) {
  journal = open(record, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  snprintf(wanted, sizeof wanted, "%s", operation);
  snprintf(pattern, sizeof pattern, "%s", name);
  left = number;
  snprintf(prefix, sizeof prefix, "%s", folder);
}

/* The name below the folder, or NULL. */
static const char *below(const char *path) {
  size_t length = strlen(prefix);
  if (!length || !path || strncmp(path, prefix, length)) return NULL;
  if (path[length] == '/') return path + length + 1;
  return path[length] ? NULL : ".";
}

static int dies_from(const char *operation, const char *path, const char *source) {
  const char *name = below(path), *from = below(source);
  if (!name) return 0;
  dprintf(journal, "%s\t%s\t%s\n", operation, name, from ? from : "");
  return !strcmp(operation, wanted) && !fnmatch(pattern, name, 0) && left-- == 0;
}

static int dies(const char *operation, const char *path) {
  return dies_from(operation, path, NULL);
}

static int fd_dies(const char *operation, int fd) {
  char link[64], path[LONGEST];
  if (!prefix[0]) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return dies(operation, path);
}

/* The path of a name that is looked up in an open folder. */
static const char *path_at(int folder, const char *name, char *path) {
  char link[64];
  if (folder == AT_FDCWD || name[0] == '/') return name;
  snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
  ssize_t length = readlink(link, path, LONGEST - 1);
  if (length < 0) return NULL;
  snprintf(path + length, LONGEST - length, "/%s", name);
  return path;
}

static void end(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);

ssize_t write(int fd, const void *bytes, size_t size) {
  REAL(write)
  if (fd_dies("write", fd)) {
    real(fd, bytes, size / 2);
    end();
  }
  return real(fd, bytes, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev)
  if (fd_dies("write", fd)) end();
  return real(fd, parts, count);
}

#define PWRITE(name, type)                                             \
  ssize_t name(int fd, const void *bytes, size_t size, type offset) { \
    REAL(name)                                                         \
    if (fd_dies("write", fd)) end();                                   \
    return real(fd, bytes, size, offset);                              \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define SENDFILE(name, type)                                     \
  ssize_t name(int to, int from, type *offset, size_t size) {   \
    REAL(name)                                                   \
    if (fd_dies("sendfile", to)) end();                          \
    return real(to, from, offset, size);                         \
  }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

#define OF_FD(name, operation)           \
  int name(int fd) {                     \
    REAL(name)                           \
    if (fd_dies(operation, fd)) end();   \
    return real(fd);                     \
  }
OF_FD(fsync, "fsync")
OF_FD(fdatasync, "fsync")

#define TRUNCATE(name, type)                        \
  int name(const char *path, type length) {         \
    REAL(name)                                      \
    if (dies("truncate", path)) end();              \
    return real(path, length);                      \
  }                                                 \
  int f##name(int fd, type length) {                \
    REAL(f##name)                                   \
    if (fd_dies("truncate", fd)) end();             \
    return real(fd, length);                        \
  }
TRUNCATE(truncate, off_t)
TRUNCATE(truncate64, off64_t)

int chmod(const char *path, mode_t mode) {
  REAL(chmod)
  if (dies("chmod", path)) end();
  return real(path, mode);
}

int fchmod(int fd, mode_t mode) {
  REAL(fchmod)
  if (fd_dies("chmod", fd)) end();
  return real(fd, mode);
}

int rename(const char *from, const char *to) {
  REAL(rename)
  if (dies_from("rename", to, from)) end();
  return real(from, to);
}

int unlink(const char *path) {
  REAL(unlink)
  if (dies("unlink", path)) end();
  return real(path);
}

int unlinkat(int folder, const char *name, int flags) {
  REAL(unlinkat)
  char path[LONGEST];
  const char *operation = flags & AT_REMOVEDIR ? "rmdir" : "unlink";
  if (dies(operation, path_at(folder, name, path))) end();
  return real(folder, name, flags);
}

int rmdir(const char *path) {
  REAL(rmdir)
  if (dies("rmdir", path)) end();
  return real(path);
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir)
  if (dies("mkdir", path)) end();
  return real(path, mode);
}

#define WRITES(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC))

#define OPEN(name)                                           \
  int name(const char *path, int flags, ...) {               \
    REAL(name)                                               \
    va_list rest;                                            \
    va_start(rest, flags);                                   \
    mode_t mode = va_arg(rest, mode_t);                      \
    va_end(rest);                                            \
    if (WRITES(flags) && dies("open", path)) end();          \
    return real(path, flags, mode);                          \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                              \
  int name(int folder, const char *file, int flags, ...) {                       \
    REAL(name)                                                                    \
    char path[LONGEST];                                                           \
    va_list rest;                                                                 \
    va_start(rest, flags);                                                        \
    mode_t mode = va_arg(rest, mode_t);                                           \
    va_end(rest);                                                                 \
    if (WRITES(flags) && dies("open", path_at(folder, file, path))) end();        \
    return real(folder, file, flags, mode);                                       \
  }
OPENAT(openat)
OPENAT(openat64)
