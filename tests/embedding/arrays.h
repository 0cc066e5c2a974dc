/* Arrays that are read from a file. */
#ifndef ARRAYS_H
#define ARRAYS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#ifndef __cplusplus
#include <stdbool.h>
#endif

/* Memory is left to the end of the program. */
static void* room(int64_t count, size_t each) {
    void* memory = calloc((size_t)count + 1, each);
    if (memory == NULL) exit(3);
    return memory;
}

static void* taken(FILE* file, int64_t count, size_t each) {
    void* memory = room(count, each);
    if (fread(memory, each, (size_t)count, file) != (size_t)count) exit(4);
    return count == 0 ? NULL : memory;
}

static double* numbers(FILE* file, int64_t count) {
    return (double*)taken(file, count, sizeof(double));
}

#endif
