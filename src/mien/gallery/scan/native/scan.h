/* The scan over codes: what the parts share. What is computed, and why no row is missed: docs/concepts/exact-search.md.

   Whole-number sums come from a `Kernel`, of which there is one per instruction set; they are exact, so all kernels agree
   to the last bit. Bounds are float32, one operation at a time in a fixed order (build without contraction into fused
   multiply-adds and without fast-math), so they agree with the numpy version too. */
#ifndef MIEN_SCAN_H
#define MIEN_SCAN_H

#include <stddef.h>
#include <stdint.h>

#define REACH 1.001 /* no row and no probe is longer; the same as in codes.py */
#define TILE 32     /* rows that a kernel packs together for many probes */
#define LANE 8      /* probes that it multiplies with them at once */

typedef struct {
    const uint8_t *high, *low; /* rows x width */
    const float *scales, *residuals, *coarse;
    int64_t rows;
} Block;

/* All planes are 64-byte aligned and as long as a whole row: 2 * width. */
typedef struct {
    const char *name;
    /* out[i] = sum of the upper half-bytes of row i times `first` */
    void (*halves)(const uint8_t *high, int64_t width, int64_t rows, const int8_t *first, int32_t *out);
    /* out[i] = sum of the codes of row i times `first` */
    void (*codes)(const uint8_t *high, const uint8_t *low, int64_t width, int64_t rows, const int8_t *first, int32_t *out);
    /* out = upper half-bytes times first, codes times first, codes times second */
    void (*row)(const uint8_t *high, const uint8_t *low, int64_t width, const int8_t *first, const int8_t *second,
                int32_t out[3]);
    /* TILE rows made ready for `product`; NULL where a kernel has nothing better than `codes` */
    void (*pack)(const uint8_t *high, const uint8_t *low, int64_t width, uint8_t *packed);
    /* out[j * TILE + i] = sum of the codes of packed row i times planes[j], for LANE probes */
    void (*product)(const uint8_t *packed, int64_t width, const int8_t *const *planes, int32_t *out);
    /* tops[i] = (scales[i] * step) * (factor * sums[i] - offset) + (spread[i] * reach + missed); returns whether one
       reaches the threshold */
    int (*tops)(const int32_t *sums, int64_t rows, const float *scales, const float *spread, const float *terms,
                const int32_t *affine, float threshold, float *tops);
} Kernel;

extern const Kernel *const kernels[]; /* the best first, NULL at the end */
int kernel_runs(const Kernel *kernel);

/* One probe and what was found for it so far. */
typedef struct {
    int8_t *first, *second; /* the probe is about step * first, and better step2 * (128 * first + second) */
    float step, step2, reach[2], missed[2];
    int32_t first_sum, second_sum;
    float floor, threshold; /* rows below the threshold are settled */
    float *heap;            /* the largest lower bounds, smallest first */
    int64_t wanted, held;
    int64_t *rows; /* what may still reach the threshold */
    float *tops;   /* their upper bounds */
    int64_t found, room;
    int64_t both; /* how many rows to read whole before half of them is tried again */
    int64_t judged, left; /* rows of which half was read, and those that it did not settle */
    void *memory;
} Probe;

/* 0, or -1 without memory, or -2 for a probe that is too long or not finite (its length is put to *length). */
int probe_open(Probe *probe, const float *values, int64_t dimension, int64_t width, double *length);
int probe_begin(Probe *probe, int64_t wanted, float floor);
void probe_finish(Probe *probe);
void probe_close(Probe *probe);

/* Scan a block whose first row has number `base`; allowed may be NULL. 0, or -1 without memory. */
int scan_one(const Kernel *kernel, const Block *block, int64_t width, int64_t base, const uint8_t *allowed, Probe *probe);
int scan_many(const Kernel *kernel, const Block *block, int64_t width, int64_t base, const uint8_t *allowed, Probe *probes,
              int64_t count);

/* Correctly rounded inner products of rows with a probe; NaN where that is not certain. Returns how many are not. */
int64_t exact_products(const float *rows, int64_t count, int64_t dimension, const float *probe, double *out);

/* Encode rows; returns how many were done, fewer than `rows` where the next is too long (its length in *length). */
typedef struct {
    uint8_t *high, *low;
    float *scales, *residuals, *coarse;
} Target;
int64_t encode_rows(const float *values, int64_t rows, int64_t dimension, int64_t width, Target target, double *length);

#endif
