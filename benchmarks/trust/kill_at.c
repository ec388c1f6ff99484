/* Loaded before libc: ends the process, as kill -9 does, before the n-th change of a file.

   Counted are open for writing, write, sendfile, fsync, rename, unlink and mkdir of paths that begin
   with a prefix. A write that the process dies in is torn: its first half reaches the file. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static char prefix[4096];
static long left = -1, counted = 0;

void kill_at_arm(const char *path, long number) {
  snprintf(prefix, sizeof prefix, "%s", path);
  left = number;
  counted = 0;
}

long kill_at_counted(void) { return counted; }

static int inside(const char *path) {
  return prefix[0] && path && strncmp(path, prefix, strlen(prefix)) == 0;
}

static int inside_fd(int fd) {
  char link[64], path[4096];
  if (!prefix[0]) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return inside(path);
}

static int is_last(void) {
  counted++;
  return left >= 0 && left-- == 0;
}

static void end(void) { kill(getpid(), SIGKILL); pause(); }

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);

ssize_t write(int fd, const void *bytes, size_t size) {
  REAL(write)
  if (inside_fd(fd) && is_last()) {
    real(fd, bytes, size / 2);
    end();
  }
  return real(fd, bytes, size);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size) {
  REAL(sendfile)
  if (inside_fd(to) && is_last()) end();
  return real(to, from, offset, size);
}

int fsync(int fd) {
  REAL(fsync)
  if (inside_fd(fd) && is_last()) end();
  return real(fd);
}

int rename(const char *from, const char *to) {
  REAL(rename)
  if ((inside(from) || inside(to)) && is_last()) end();
  return real(from, to);
}

int unlink(const char *path) {
  REAL(unlink)
  if (inside(path) && is_last()) end();
  return real(path);
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir)
  if (inside(path) && is_last()) end();
  return real(path, mode);
}

static int opened(const char *path, int flags) {
  return (flags & (O_WRONLY | O_RDWR)) && inside(path) && is_last();
}

#define OPEN(name)                               \
  int name(const char *path, int flags, ...) {   \
    REAL(name)                                   \
    va_list rest;                                \
    va_start(rest, flags);                       \
    mode_t mode = va_arg(rest, mode_t);          \
    va_end(rest);                                \
    if (opened(path, flags)) end();              \
    return real(path, flags, mode);              \
  }

OPEN(open)
OPEN(open64)
