/*
 * Memory for processes that live some milliseconds. musl gives small groups of allocations back to the kernel as soon as they
 * are free, which costs this program hundreds of mmap and munmap calls; here freed memory waits in a list for its size until
 * it is asked for again, and what was once taken from the kernel stays. One thread only: the program has no other.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum {
  GRAIN = 16,          /* every block is a multiple of this, and aligned to it */
  SMALL = 1024,        /* up to here a list for each multiple, above for each power of two */
  LISTED = 64 * 1024,  /* the largest that waits in a list; above, the kernel's own mapping, given back when freed */
  CHUNK = 1024 * 1024, /* what is taken from the kernel at once */
  FIRST = 256 * 1024,  /* what the program is born with: enough for a usual call */
};

/* In front of each block: its usable size in bytes, a multiple of GRAIN. */
struct header {
  size_t size;
  size_t unused;
};

struct block {
  struct block *next;
};

static struct block *small_lists[SMALL / GRAIN + 1];
static struct block *power_lists[6]; /* 2048 … LISTED */

static _Alignas(GRAIN) unsigned char first[FIRST];
static unsigned char *at = first;
static unsigned char *end = first + FIRST;

static struct header *header_of(void *block) { return (struct header *)((unsigned char *)block - sizeof(struct header)); }

/* The size a request is rounded up to, and the list that blocks of this size wait in. */
static struct block **list_for(size_t wanted, size_t *size) {
  if (wanted <= SMALL) {
    *size = wanted == 0 ? GRAIN : (wanted + GRAIN - 1) / GRAIN * GRAIN;
    return &small_lists[*size / GRAIN];
  }
  size_t power = 2 * SMALL, index = 0;
  while (power < wanted) {
    power *= 2;
    index++;
  }
  *size = power;
  return &power_lists[index];
}

static void *map(size_t bytes) {
  void *got = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got != MAP_FAILED) return got;
  errno = ENOMEM;
  return NULL;
}

static void *take(size_t size) {
  size_t bytes = size + sizeof(struct header);
  if ((size_t)(end - at) < bytes) {
    unsigned char *chunk = map(CHUNK);
    if (chunk == NULL) return NULL;
    at = chunk;
    end = chunk + CHUNK;
  }
  struct header *header = (struct header *)(void *)at;
  at += bytes;
  header->size = size;
  return header + 1;
}

void *malloc(size_t wanted) {
  if (wanted > LISTED) {
    if (wanted > PTRDIFF_MAX - 2 * sizeof(struct header)) {
      errno = ENOMEM;
      return NULL;
    }
    struct header *header = map(wanted + sizeof(struct header));
    if (header == NULL) return NULL;
    header->size = wanted;
    return header + 1;
  }
  size_t size;
  struct block **list = list_for(wanted, &size);
  struct block *found = *list;
  if (found == NULL) return take(size);
  *list = found->next;
  return found;
}

void free(void *block) {
  if (block == NULL) return;
  struct header *header = header_of(block);
  if (header->size > LISTED) {
    munmap(header, header->size + sizeof *header);
    return;
  }
  size_t size;
  struct block **list = list_for(header->size, &size);
  struct block *freed = block;
  freed->next = *list;
  *list = freed;
}

void *calloc(size_t count, size_t each) {
  size_t bytes;
  if (__builtin_mul_overflow(count, each, &bytes)) {
    errno = ENOMEM;
    return NULL;
  }
  void *block = malloc(bytes);
  return block == NULL || bytes > LISTED ? block : memset(block, 0, bytes);
}

void *realloc(void *block, size_t wanted) {
  if (block == NULL) return malloc(wanted);
  size_t have = header_of(block)->size;
  if (wanted <= have && have <= LISTED) return block;
  void *moved = malloc(wanted);
  if (moved == NULL) return NULL;
  memcpy(moved, block, have < wanted ? have : wanted);
  free(block);
  return moved;
}

/* Stricter alignment than GRAIN is asked for by nobody here; refusing is what the standard allows. */
int posix_memalign(void **block, size_t alignment, size_t wanted) {
  if (alignment > GRAIN) return EINVAL;
  *block = malloc(wanted);
  return *block == NULL ? ENOMEM : 0;
}

void *aligned_alloc(size_t alignment, size_t wanted) {
  void *block = NULL;
  int failure = posix_memalign(&block, alignment, wanted);
  if (failure != 0) errno = failure;
  return block;
}

void *memalign(size_t alignment, size_t wanted) { return aligned_alloc(alignment, wanted); }

size_t malloc_usable_size(void *block) { return block == NULL ? 0 : header_of(block)->size; }
