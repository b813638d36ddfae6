/* SPDX-License-Identifier: Apache-2.0 */
/* Loaded before a program of ours: the VIT_FAULT_NTH-th call of VIT_FAULT_CALL ("open", "read", "write", "rename", "fsync") fails as on a
 * broken disk, and leaves the file VIT_FAULT_MARK behind. Standard error is left alone: it is where the program complains. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int calls;

static int fails(const char* call, int error) {
  const char *wanted = getenv("VIT_FAULT_CALL"), *nth = getenv("VIT_FAULT_NTH"), *mark = getenv("VIT_FAULT_MARK");
  if (!wanted || !nth || !mark || strcmp(wanted, call) != 0 || ++calls != atoi(nth)) return 0;
  syscall(SYS_close, (int)syscall(SYS_openat, AT_FDCWD, mark, O_WRONLY | O_CREAT, 0600));
  errno = error;
  return 1;
}

ssize_t read(int fd, void* to, size_t bytes) { return fails("read", EIO) ? -1 : syscall(SYS_read, fd, to, bytes); }

ssize_t write(int fd, const void* from, size_t bytes) {
  return fd != 2 && fails("write", ENOSPC) ? -1 : syscall(SYS_write, fd, from, bytes);
}

ssize_t pwrite(int fd, const void* from, size_t bytes, off_t at) {
  return fails("write", ENOSPC) ? -1 : syscall(SYS_pwrite64, fd, from, bytes, at);
}

int open(const char* path, int flags, ...) {
  va_list rest;
  int mode;
  va_start(rest, flags);
  mode = flags & O_CREAT ? va_arg(rest, int) : 0;
  va_end(rest);
  return fails("open", EMFILE) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int fsync(int fd) { return fails("fsync", EIO) ? -1 : (int)syscall(SYS_fsync, fd); }

int rename(const char* from, const char* to) {
  return fails("rename", EIO) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
