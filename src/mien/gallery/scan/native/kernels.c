/* Whole-number sums of products, for each instruction set. A byte of a plane holds two half-bytes: dimension 128 g + j in
   the low half and 128 g + 64 + j in the high half, for byte 64 g + j. */
#include "scan.h"

#include <string.h>

/* ---- what every kernel computes alike, compiled once for each instruction set ---- */

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

INLINE int tops_body(const int32_t *sums, int64_t rows, const float *scales, const float *spread, const float *terms,
                     const int32_t *affine, float threshold, float *tops) {
    const float step = terms[0], reach = terms[1], missed = terms[2];
    const int32_t factor = affine[0], offset = affine[1];
    int any = 0;
    for (int64_t i = 0; i < rows; i++) {
        const float unit = scales[i] * step;
        const float slack = spread[i] * reach + missed;
        const float top = unit * (float)(factor * sums[i] - offset) + slack;
        tops[i] = top;
        any |= top >= threshold;
    }
    return any;
}

/* ---- portable: loops that compilers turn into vector instructions, with products of 16 bits ---- */

static inline int32_t sum64(const uint8_t *bytes, const int8_t *factors) {
    int32_t sum = 0;
    for (int j = 0; j < 64; j++) sum += (int16_t)bytes[j] * (int16_t)factors[j];
    return sum;
}

static void halves_portable(const uint8_t *high, int64_t width, int64_t rows, const int8_t *first, int32_t *out) {
    uint8_t lower[64], upper[64];
    for (int64_t i = 0; i < rows; i++, high += width) {
        int32_t sum = 0;
        for (int64_t g = 0; g < width; g += 64) {
            for (int j = 0; j < 64; j++) {
                lower[j] = high[g + j] & 15;
                upper[j] = high[g + j] >> 4;
            }
            sum += sum64(lower, first + 2 * g) + sum64(upper, first + 2 * g + 64);
        }
        out[i] = sum;
    }
}

static void codes_portable(const uint8_t *high, const uint8_t *low, int64_t width, int64_t rows, const int8_t *first,
                           int32_t *out) {
    uint8_t lower[64], upper[64];
    for (int64_t i = 0; i < rows; i++, high += width, low += width) {
        int32_t sum = 0;
        for (int64_t g = 0; g < width; g += 64) {
            for (int j = 0; j < 64; j++) {
                lower[j] = (uint8_t)(high[g + j] << 4 | (low[g + j] & 15));
                upper[j] = (uint8_t)((high[g + j] & 240) | low[g + j] >> 4);
            }
            sum += sum64(lower, first + 2 * g) + sum64(upper, first + 2 * g + 64);
        }
        out[i] = sum;
    }
}

static void row_portable(const uint8_t *high, const uint8_t *low, int64_t width, const int8_t *first, const int8_t *second,
                         int32_t out[3]) {
    halves_portable(high, width, 1, first, out);
    codes_portable(high, low, width, 1, first, out + 1);
    codes_portable(high, low, width, 1, second, out + 2);
}

static int tops_portable(const int32_t *sums, int64_t rows, const float *scales, const float *spread, const float *terms,
                         const int32_t *affine, float threshold, float *tops) {
    return tops_body(sums, rows, scales, spread, terms, affine, threshold, tops);
}

static const Kernel portable = {"portable", halves_portable, codes_portable, row_portable, NULL, NULL, tops_portable};

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

/* ---- AVX2: half-bytes times signed bytes, in pairs, stay within 16 bits (2 * 15 * 127 = 3810) ---- */

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i widened(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }

AVX2 static inline int32_t total(__m256i v) {
    __m128i x = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4e));
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1));
    return _mm_cvtsi128_si32(x);
}

/* Sums over 64 bytes of a plane, 16 lanes of at most 4 * 3810. */
AVX2 static inline __m256i part(const uint8_t *plane, const int8_t *factors) {
    const __m256i mask = _mm256_set1_epi8(15);
    const __m256i x = _mm256_loadu_si256((const void *)plane), y = _mm256_loadu_si256((const void *)(plane + 32));
    const __m256i a = _mm256_maddubs_epi16(_mm256_and_si256(x, mask), _mm256_load_si256((const void *)factors));
    const __m256i b = _mm256_maddubs_epi16(_mm256_and_si256(y, mask), _mm256_load_si256((const void *)(factors + 32)));
    const __m256i c = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(x, 4), mask),
                                           _mm256_load_si256((const void *)(factors + 64)));
    const __m256i d = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(y, 4), mask),
                                           _mm256_load_si256((const void *)(factors + 96)));
    return _mm256_add_epi16(_mm256_add_epi16(a, b), _mm256_add_epi16(c, d));
}

/* Four sums at once: the sums of the lanes of four vectors. */
AVX2 static inline __m128i four(__m256i a, __m256i b, __m256i c, __m256i d) {
    const __m256i x = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    return _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
}

AVX2 static void halves_avx2(const uint8_t *high, int64_t width, int64_t rows, const int8_t *first, int32_t *out) {
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4, high += 4 * width) {
        __m256i sums[4];
        for (int k = 0; k < 4; k++) sums[k] = _mm256_setzero_si256();
        for (int64_t g = 0; g < width; g += 64)
            for (int k = 0; k < 4; k++) {
                sums[k] = _mm256_add_epi32(sums[k], widened(part(high + k * width + g, first + 2 * g)));
            }
        _mm_storeu_si128((void *)(out + i), four(sums[0], sums[1], sums[2], sums[3]));
    }
    for (; i < rows; i++, high += width) {
        __m256i sum = _mm256_setzero_si256();
        for (int64_t g = 0; g < width; g += 64) sum = _mm256_add_epi32(sum, widened(part(high + g, first + 2 * g)));
        out[i] = total(sum);
    }
}

AVX2 static void codes_avx2(const uint8_t *high, const uint8_t *low, int64_t width, int64_t rows, const int8_t *first,
                            int32_t *out) {
    int64_t i = 0;
    for (; i + 2 <= rows; i += 2, high += 2 * width, low += 2 * width) {
        __m256i h[2], l[2];
        for (int k = 0; k < 2; k++) h[k] = l[k] = _mm256_setzero_si256();
        for (int64_t g = 0; g < width; g += 64)
            for (int k = 0; k < 2; k++) {
                h[k] = _mm256_add_epi32(h[k], widened(part(high + k * width + g, first + 2 * g)));
                l[k] = _mm256_add_epi32(l[k], widened(part(low + k * width + g, first + 2 * g)));
            }
        for (int k = 0; k < 2; k++) out[i + k] = total(_mm256_add_epi32(_mm256_slli_epi32(h[k], 4), l[k]));
    }
    for (; i < rows; i++, high += width, low += width) {
        __m256i h = _mm256_setzero_si256(), l = h;
        for (int64_t g = 0; g < width; g += 64) {
            h = _mm256_add_epi32(h, widened(part(high + g, first + 2 * g)));
            l = _mm256_add_epi32(l, widened(part(low + g, first + 2 * g)));
        }
        out[i] = 16 * total(h) + total(l);
    }
}

AVX2 static void row_avx2(const uint8_t *high, const uint8_t *low, int64_t width, const int8_t *first, const int8_t *second,
                          int32_t out[3]) {
    halves_avx2(high, width, 1, first, out);
    codes_avx2(high, low, width, 1, first, out + 1);
    codes_avx2(high, low, width, 1, second, out + 2);
}

AVX2 static int tops_avx2(const int32_t *sums, int64_t rows, const float *scales, const float *spread, const float *terms,
                          const int32_t *affine, float threshold, float *tops) {
    return tops_body(sums, rows, scales, spread, terms, affine, threshold, tops);
}

static const Kernel avx2 = {"avx2", halves_avx2, codes_avx2, row_avx2, NULL, NULL, tops_avx2};

/* ---- AVX-512 VNNI: four unsigned times signed bytes into each 32-bit lane, without saturation ---- */

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,prefer-vector-width=512")))

typedef struct {
    __m512i lower, upper;
} Pair;

/* The half-bytes of one plane. */
AVX512 static inline Pair split(__m512i plane) {
    const __m512i mask = _mm512_set1_epi8(15);
    return (Pair){_mm512_and_si512(plane, mask), _mm512_and_si512(_mm512_srli_epi16(plane, 4), mask)};
}

/* The codes of both planes: 0xca takes bits of the second where the first is set, else of the third. */
AVX512 static inline Pair merge(__m512i high, __m512i low) {
    const __m512i mask = _mm512_set1_epi8((char)240);
    return (Pair){_mm512_ternarylogic_epi64(mask, _mm512_slli_epi16(high, 4), low, 0xca),
                  _mm512_ternarylogic_epi64(mask, high, _mm512_srli_epi16(low, 4), 0xca)};
}

AVX512 static inline __m512i times(__m512i sum, Pair bytes, const int8_t *factors) {
    sum = _mm512_dpbusd_epi32(sum, bytes.lower, _mm512_load_si512(factors));
    return _mm512_dpbusd_epi32(sum, bytes.upper, _mm512_load_si512(factors + 64));
}

/* In each quarter of the result: sums of the lanes of that quarter of a, b, c and d. */
AVX512 static inline __m512i quarters(__m512i a, __m512i b, __m512i c, __m512i d) {
    const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

/* Sums of the quarters: those of a, of b, of c and of d, one after the other. */
AVX512 static inline __m512i gathered(__m512i a, __m512i b, __m512i c, __m512i d) {
    const __m512i x = _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
    const __m512i y = _mm512_add_epi32(_mm512_shuffle_i32x4(c, d, 0x88), _mm512_shuffle_i32x4(c, d, 0xdd));
    return _mm512_add_epi32(_mm512_shuffle_i32x4(x, y, 0x88), _mm512_shuffle_i32x4(x, y, 0xdd));
}

AVX512 static void halves_avx512(const uint8_t *high, int64_t width, int64_t rows, const int8_t *first, int32_t *out) {
    int64_t i = 0;
    for (; i + 16 <= rows; i += 16) {
        __m512i sums[4];
        for (int k = 0; k < 4; k++, high += 4 * width) {
            __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
            for (int64_t g = 0; g < width; g += 64) {
                const uint8_t *at = high + g;
                const int8_t *factors = first + 2 * g;
                a = times(a, split(_mm512_loadu_si512(at)), factors);
                b = times(b, split(_mm512_loadu_si512(at + width)), factors);
                c = times(c, split(_mm512_loadu_si512(at + 2 * width)), factors);
                d = times(d, split(_mm512_loadu_si512(at + 3 * width)), factors);
            }
            sums[k] = quarters(a, b, c, d);
        }
        _mm512_storeu_si512(out + i, gathered(sums[0], sums[1], sums[2], sums[3]));
    }
    for (; i < rows; i++, high += width) {
        __m512i sum = _mm512_setzero_si512();
        for (int64_t g = 0; g < width; g += 64) sum = times(sum, split(_mm512_loadu_si512(high + g)), first + 2 * g);
        out[i] = _mm512_reduce_add_epi32(sum);
    }
}

AVX512 static inline __m512i whole(const uint8_t *high, const uint8_t *low, const int8_t *factors, __m512i sum) {
    return times(sum, merge(_mm512_loadu_si512(high), _mm512_loadu_si512(low)), factors);
}

AVX512 static void codes_avx512(const uint8_t *high, const uint8_t *low, int64_t width, int64_t rows, const int8_t *first,
                                int32_t *out) {
    int64_t i = 0;
    for (; i + 16 <= rows; i += 16) {
        __m512i sums[4];
        for (int k = 0; k < 4; k++, high += 4 * width, low += 4 * width) {
            __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
            /* One row after the other: two planes are read at once, and this is the order in which they come soonest. */
            for (int64_t g = 0; g < width; g += 64) a = whole(high + g, low + g, first + 2 * g, a);
            const uint8_t *h = high + width, *l = low + width;
            for (int64_t g = 0; g < width; g += 64) b = whole(h + g, l + g, first + 2 * g, b);
            h += width, l += width;
            for (int64_t g = 0; g < width; g += 64) c = whole(h + g, l + g, first + 2 * g, c);
            h += width, l += width;
            for (int64_t g = 0; g < width; g += 64) d = whole(h + g, l + g, first + 2 * g, d);
            sums[k] = quarters(a, b, c, d);
        }
        _mm512_storeu_si512(out + i, gathered(sums[0], sums[1], sums[2], sums[3]));
    }
    for (; i < rows; i++, high += width, low += width) {
        __m512i sum = _mm512_setzero_si512();
        for (int64_t g = 0; g < width; g += 64) sum = whole(high + g, low + g, first + 2 * g, sum);
        out[i] = _mm512_reduce_add_epi32(sum);
    }
}

AVX512 static void row_avx512(const uint8_t *high, const uint8_t *low, int64_t width, const int8_t *first,
                              const int8_t *second, int32_t out[3]) {
    __m512i a = _mm512_setzero_si512(), b = a, c = a;
    for (int64_t g = 0; g < width; g += 64) {
        const __m512i h = _mm512_loadu_si512(high + g), l = _mm512_loadu_si512(low + g);
        const Pair both = merge(h, l);
        a = times(a, split(h), first + 2 * g);
        b = times(b, both, first + 2 * g);
        c = times(c, both, second + 2 * g);
    }
    const __m512i sums = quarters(a, b, c, _mm512_setzero_si512());
    int32_t all[16];
    _mm512_storeu_si512(all, gathered(sums, sums, sums, sums));
    memcpy(out, all, 3 * sizeof *out);
}

/* 16 x 16 lanes, turned: row i of v becomes lane i of every w. */
AVX512 static inline void turn(const __m512i *v, __m512i *w) {
    __m512i a[16], b[16];
#pragma GCC unroll 4
    for (int k = 0; k < 16; k += 4) {
        a[k] = _mm512_unpacklo_epi32(v[k], v[k + 1]);
        a[k + 1] = _mm512_unpackhi_epi32(v[k], v[k + 1]);
        a[k + 2] = _mm512_unpacklo_epi32(v[k + 2], v[k + 3]);
        a[k + 3] = _mm512_unpackhi_epi32(v[k + 2], v[k + 3]);
    }
#pragma GCC unroll 4
    for (int k = 0; k < 16; k += 4) { /* b[k + c]: in each 128 bits, column c of that quarter, rows k..k+3 */
        b[k] = _mm512_unpacklo_epi64(a[k], a[k + 2]);
        b[k + 1] = _mm512_unpackhi_epi64(a[k], a[k + 2]);
        b[k + 2] = _mm512_unpacklo_epi64(a[k + 1], a[k + 3]);
        b[k + 3] = _mm512_unpackhi_epi64(a[k + 1], a[k + 3]);
    }
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) {
        const __m512i p = _mm512_shuffle_i32x4(b[c], b[4 + c], 0x88), q = _mm512_shuffle_i32x4(b[c], b[4 + c], 0xdd);
        const __m512i r = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0x88), s = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0xdd);
        w[c] = _mm512_shuffle_i32x4(p, r, 0x88);
        w[4 + c] = _mm512_shuffle_i32x4(q, s, 0x88);
        w[8 + c] = _mm512_shuffle_i32x4(p, r, 0xdd);
        w[12 + c] = _mm512_shuffle_i32x4(q, s, 0xdd);
    }
}

/* Packed: for every four dimensions the bytes of 16 rows, then those of the next 16. */
AVX512 static void pack_avx512(const uint8_t *high, const uint8_t *low, int64_t width, uint8_t *packed) {
    for (int part = 0; part < TILE / 16; part++)
        for (int64_t g = 0; g < width; g += 64) {
            __m512i lower[16], upper[16], turned[16];
#pragma GCC unroll 16
            for (int k = 0; k < 16; k++) {
                const int64_t at = (16 * part + k) * width + g;
                const Pair both = merge(_mm512_loadu_si512(high + at), _mm512_loadu_si512(low + at));
                lower[k] = both.lower;
                upper[k] = both.upper;
            }
            for (int half = 0; half < 2; half++) {
                uint8_t *to = packed + (2 * g + 64 * half) * TILE + 64 * part;
                turn(half ? upper : lower, turned);
#pragma GCC unroll 16
                for (int k = 0; k < 16; k++) _mm512_store_si512(to + 4 * TILE * k, turned[k]);
            }
        }
}

AVX512 static void product_avx512(const uint8_t *packed, int64_t width, const int8_t *const *planes, int32_t *out) {
    __m512i sums[2 * LANE];
#pragma GCC unroll 16
    for (int k = 0; k < 2 * LANE; k++) sums[k] = _mm512_setzero_si512();
    for (int64_t d = 0; d < 2 * width; d += 4, packed += 4 * TILE) {
        const __m512i a = _mm512_load_si512(packed), b = _mm512_load_si512(packed + 64);
#pragma GCC unroll 8
        for (int k = 0; k < LANE; k++) {
            int32_t word;
            memcpy(&word, planes[k] + d, 4);
            const __m512i four_bytes = _mm512_set1_epi32(word);
            sums[2 * k] = _mm512_dpbusd_epi32(sums[2 * k], a, four_bytes);
            sums[2 * k + 1] = _mm512_dpbusd_epi32(sums[2 * k + 1], b, four_bytes);
        }
    }
#pragma GCC unroll 16
    for (int k = 0; k < 2 * LANE; k++) _mm512_storeu_si512(out + 16 * k, sums[k]);
}

AVX512 static int tops_avx512(const int32_t *sums, int64_t rows, const float *scales, const float *spread,
                              const float *terms, const int32_t *affine, float threshold, float *tops) {
    return tops_body(sums, rows, scales, spread, terms, affine, threshold, tops);
}

static const Kernel avx512 = {"avx512",     halves_avx512,  codes_avx512, row_avx512,
                              pack_avx512, product_avx512, tops_avx512};

const Kernel *const kernels[] = {&avx512, &avx2, &portable, NULL};

int kernel_runs(const Kernel *kernel) {
    if (kernel == &avx512)
        return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    return kernel == &portable || __builtin_cpu_supports("avx2");
}

#else

const Kernel *const kernels[] = {&portable, NULL};

int kernel_runs(const Kernel *kernel) { return kernel == &portable; }

#endif
