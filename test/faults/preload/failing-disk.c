/*
 * Makes the disk fail: once the file named by FAULT_TRIGGER is there, it says what fails, as "CALL ERROR PART": "sync" or
 * "write", a number of errno, and a part of the path of the files that are meant. A "hang" is a sync that does not end
 * before that file is gone; its number counts for nothing. For use with LD_PRELOAD.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* The errno that this call of that kind on that file ends with; 0: none. */
static int failure(const char *kind, int fd) {
  const char *trigger = getenv("FAULT_TRIGGER");
  if (trigger == NULL) return 0;
  int file = open(trigger, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[256];
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return 0;
  text[length] = '\0';
  char call[16];
  char part[200];
  int error;
  if (sscanf(text, "%15s %d %199s", call, &error, part) != 3 || strcmp(call, kind) != 0) return 0;
  char link[64];
  char path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return 0;
  path[size] = '\0';
  return strstr(path, part) == NULL ? 0 : error;
}

static int fails(const char *kind, int fd) {
  int saved = errno;
  int error = failure(kind, fd);
  errno = error != 0 ? error : saved;
  return error != 0;
}

static void hang(int fd) {
  int saved = errno;
  while (failure("hang", fd) != 0) usleep(10 * 1000);
  errno = saved;
}

int fsync(int fd) {
  static int (*next)(int);
  if (next == NULL) next = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  hang(fd);
  return fails("sync", fd) ? -1 : next(fd);
}

int fdatasync(int fd) {
  static int (*next)(int);
  if (next == NULL) next = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  hang(fd);
  return fails("sync", fd) ? -1 : next(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  static ssize_t (*next)(int, const void *, size_t, off64_t);
  if (next == NULL) next = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  return fails("write", fd) ? -1 : next(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  return pwrite64(fd, bytes, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  static ssize_t (*next)(int, const void *, size_t);
  if (next == NULL) next = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  return fails("write", fd) ? -1 : next(fd, bytes, count);
}
