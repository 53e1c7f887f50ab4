/* Random allocations of every size class, each checked for its content, its alignment and for being zeroed where it must be. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 2000, ROUNDS = 100000 };

static unsigned state = 1;

static unsigned next_random(void) {
  state = state * 1103515245u + 12345u;
  return state >> 8;
}

static size_t random_size(void) {
  unsigned kind = next_random() % 32;
  size_t limit = kind < 24 ? 600 : kind < 29 ? 9000 : kind < 31 ? 140000 : 400000;
  return next_random() % limit;
}

static int fail(const char *what, long round) {
  printf("round %ld: %s\n", round, what);
  return 1;
}

int main(void) {
  static unsigned char *blocks[SLOTS];
  static size_t sizes[SLOTS];
  for (long round = 0; round < ROUNDS; round++) {
    unsigned slot = next_random() % SLOTS, action = next_random() % 4;
    size_t size = random_size();
    unsigned char mark = (unsigned char)slot;
    unsigned char *block = blocks[slot];
    for (size_t i = 0; i < sizes[slot]; i += i + 1 < sizes[slot] && sizes[slot] > 64 ? sizes[slot] - 1 : 1) {
      if (block[i] != mark) return fail("somebody else wrote here", round);
    }
    if (block != NULL && action < 2) {
      size_t kept = sizes[slot] < size ? sizes[slot] : size;
      block = realloc(block, size);
      if (kept > 0 && (block[0] != mark || block[kept - 1] != mark)) return fail("realloc lost the content", round);
    } else {
      free(block);
      block = action == 2 ? malloc(size) : calloc(1, size);
      for (size_t i = 0; action == 3 && i < size; i++) {
        if (block[i] != 0) return fail("calloc gave memory that is not zero", round);
      }
    }
    if (block == NULL) return fail("no memory", round);
    if (((uintptr_t)block & 15) != 0) return fail("not aligned", round);
    memset(block, mark, size);
    blocks[slot] = block;
    sizes[slot] = size;
  }
  puts("ok");
  return 0;
}
