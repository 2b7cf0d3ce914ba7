/* The probe as whole numbers, the running threshold, and the walk over the rows. */
#include "scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if !defined(__GNUC__) || defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

#define BLOCK 128  /* rows filtered at a time, at most; a multiple of TILE */
#define FEW 8192   /* bytes filtered at a time for one probe: what is left of them is fetched while the next are read */
#define RETRY 4096 /* rows read whole before the half is tried again */
#define SHARE 8    /* ... which is when more than one row in so many is left by the half; measured */

static float magic(float x) { return (x + 12582912.0f) - 12582912.0f; } /* to the nearest whole number, for |x| < 2^22 */

/* ---- probes ---- */

int probe_open(Probe *probe, const float *values, int64_t dimension, int64_t width, double *length) {
    const int64_t padded = 2 * width;
    memset(probe, 0, sizeof *probe);
    double square = 0;
    float peak = 0;
    for (int64_t j = 0; j < dimension; j++) {
        const float size = fabsf(values[j]);
        square += (double)values[j] * values[j];
        peak = size > peak ? size : peak;
    }
    *length = sqrt(square);
    if (!(*length <= REACH)) return -2;
    probe->memory = calloc(1, (size_t)(2 * padded + 64));
    if (!probe->memory) return -1;
    probe->first = (int8_t *)(((uintptr_t)probe->memory + 63) / 64 * 64);
    probe->second = probe->first + padded;
    const int tiny = peak < 0x1p-100f;
    probe->step = tiny ? 0 : peak / 127.0f;
    probe->step2 = probe->step * 0x1p-7f;
    const float times = tiny ? 0 : 127.0f / peak;
    const double unit = probe->step, unit2 = (double)probe->step / 128;
    double lost = 0, lost2 = 0;
    int64_t size = 0, size2 = 0;
    for (int64_t j = 0; j < dimension; j++) {
        const float scaled = values[j] * times, a = magic(scaled), b = magic((scaled - a) * 128.0f);
        const int32_t whole = (int32_t)a, fine = 128 * whole + (int32_t)b;
        const double error = values[j] - unit * whole, error2 = values[j] - unit2 * fine;
        probe->first[j] = (int8_t)whole;
        probe->second[j] = (int8_t)b;
        probe->first_sum += whole;
        probe->second_sum += (int32_t)b;
        size += (int64_t)whole * whole;
        size2 += (int64_t)fine * fine;
        lost += error * error;
        lost2 += error2 * error2;
    }
    probe->reach[0] = (float)(sqrt((double)size) * unit * (1 + 0x1p-19));
    probe->reach[1] = (float)(sqrt((double)size2) * unit2 * (1 + 0x1p-19));
    probe->missed[0] = (float)(sqrt(lost) * REACH * (1 + 0x1p-20) + 0x1p-19);
    probe->missed[1] = (float)(sqrt(lost2) * REACH * (1 + 0x1p-20) + 0x1p-19);
    return 0;
}

int probe_begin(Probe *probe, int64_t wanted, float floor) {
    probe->wanted = wanted;
    probe->floor = probe->threshold = floor;
    probe->heap = malloc(sizeof(float) * (size_t)wanted);
    return probe->heap ? 0 : -1;
}

void probe_close(Probe *probe) {
    free(probe->memory);
    free(probe->heap);
    free(probe->rows);
    free(probe->tops);
    memset(probe, 0, sizeof *probe);
}

static void drop_settled(Probe *probe) {
    int64_t kept = 0;
    for (int64_t i = 0; i < probe->found; i++)
        if (probe->tops[i] >= probe->threshold) {
            probe->rows[kept] = probe->rows[i];
            probe->tops[kept++] = probe->tops[i];
        }
    probe->found = kept;
}

void probe_finish(Probe *probe) { drop_settled(probe); }

static int keep(Probe *probe, int64_t row, float top) {
    if (probe->found == probe->room) {
        drop_settled(probe);
        if (2 * probe->found >= probe->room) {
            const int64_t room = probe->room ? 2 * probe->room : 256;
            int64_t *rows = realloc(probe->rows, sizeof *rows * (size_t)room);
            if (rows) probe->rows = rows;
            float *tops = realloc(probe->tops, sizeof *tops * (size_t)room);
            if (tops) probe->tops = tops;
            if (!rows || !tops) return -1;
            probe->room = room;
        }
    }
    probe->rows[probe->found] = row;
    probe->tops[probe->found++] = top;
    return 0;
}

/* A heap whose smallest is on top: the `wanted` largest lower bounds seen. */
static void note(Probe *probe, float lower) {
    float *heap = probe->heap;
    int64_t at;
    if (probe->held < probe->wanted) {
        for (at = probe->held++; at && heap[(at - 1) / 2] > lower; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
        heap[at] = lower;
        if (probe->held < probe->wanted) return;
    } else {
        if (!(lower > heap[0])) return;
        for (at = 0;;) {
            int64_t child = 2 * at + 1;
            if (child >= probe->held) break;
            if (child + 1 < probe->held && heap[child + 1] < heap[child]) child++;
            if (heap[child] >= lower) break;
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = lower;
    }
    /* Scores are clipped to -1..1 before they are compared, so bounds beyond tell nothing apart. */
    const float bound = heap[0] > 1.0f ? 1.0f : heap[0] > -1.0f ? heap[0] : -INFINITY;
    probe->threshold = bound > probe->floor ? bound : probe->floor;
}

/* ---- rows ---- */

/* Look at one row as closely as the codes allow. */
static int refine(const Kernel *kernel, const Block *block, int64_t width, int64_t base, int64_t row, Probe *probe) {
    int32_t sums[3];
    kernel->row(block->high + row * width, block->low + row * width, width, probe->first, probe->second, sums);
    const float scale = block->scales[row], residual = block->residuals[row];
    const int32_t halves = 8 * (2 * sums[0] - 15 * probe->first_sum), codes = sums[1] - 128 * probe->first_sum;
    const int64_t fine = 128 * (int64_t)codes + (sums[2] - 128 * (int64_t)probe->second_sum);
    const float unit = scale * probe->step;
    const float by_halves = unit * (float)halves + (block->coarse[row] * probe->reach[0] + probe->missed[0]);
    const float by_codes = unit * (float)codes + (residual * probe->reach[0] + probe->missed[0]);
    const float score = scale * probe->step2 * (float)fine, slack = residual * probe->reach[1] + probe->missed[1];
    const float lower = score - slack;
    float top = score + slack;
    if (by_halves < top) top = by_halves;
    if (by_codes < top) top = by_codes;
    if (!(top >= probe->threshold)) return 0; /* then its lower bound is below the threshold too */
    note(probe, lower);
    return keep(probe, base + row, top);
}

/* Rows to be refined: fetched into the cache when they are noted, and looked at while others are on their way. */
typedef struct {
    int64_t rows[BLOCK], count;
} Pending;

/* Note those of `rows` rows, beginning at `row`, whose upper bounds reach the threshold. */
static void pend(const Block *block, int64_t width, int64_t row, int64_t rows, const float *tops, const uint8_t *allowed,
                 float threshold, Pending *pending) {
    pending->count = 0;
    for (int64_t i = 0; i < rows; i++)
        if (tops[i] >= threshold && (!allowed || allowed[row + i])) {
            pending->rows[pending->count++] = row + i;
#if defined(__GNUC__)
            for (int64_t g = 0; g < width; g += 64) __builtin_prefetch(block->low + (row + i) * width + g);
#endif
        }
}

static int flush(const Kernel *kernel, const Block *block, int64_t width, int64_t base, Pending *pending, Probe *probe) {
    for (int64_t i = 0; i < pending->count; i++)
        if (refine(kernel, block, width, base, pending->rows[i], probe)) return -1;
    pending->count = 0;
    return 0;
}

/* Filter at most BLOCK consecutive rows; refine what was pending, and leave pending what is left of these. */
static int filter(const Kernel *kernel, const Block *block, int64_t width, int64_t base, int64_t row, int64_t rows,
                  const uint8_t *allowed, Pending *pending, Probe *probe) {
    int32_t sums[BLOCK];
    float tops[BLOCK];
    const float terms[3] = {probe->step, probe->reach[0], probe->missed[0]};
    const int halves = probe->both <= 0;
    int any;
    if (halves) {
        const int32_t affine[2] = {16, 120 * probe->first_sum};
        kernel->halves(block->high + row * width, width, rows, probe->first, sums);
        any = kernel->tops(sums, rows, block->scales + row, block->coarse + row, terms, affine, probe->threshold, tops);
    } else {
        const int32_t affine[2] = {1, 128 * probe->first_sum};
        kernel->codes(block->high + row * width, block->low + row * width, width, rows, probe->first, sums);
        any = kernel->tops(sums, rows, block->scales + row, block->residuals + row, terms, affine, probe->threshold, tops);
        probe->both -= rows;
    }
    if (flush(kernel, block, width, base, pending, probe)) return -1;
    if (any) pend(block, width, row, rows, tops, allowed, probe->threshold, pending);
    if (!halves) return 0;
    /* Where the half settles too little, reading everything in one go is cheaper. */
    probe->judged += rows;
    probe->left += pending->count;
    if (probe->judged >= BLOCK) {
        if (SHARE * probe->left > probe->judged) probe->both = RETRY;
        probe->judged = probe->left = 0;
    }
    return 0;
}

/* The next run of allowed rows from `row` on, at most `most`, and never past `end`. A few that are not allowed may be in. */
static int64_t run(const uint8_t *allowed, int64_t *row, int64_t end, int64_t most) {
    int64_t at = *row;
    if (allowed) {
        while (at + 8 <= end) {
            uint64_t eight;
            memcpy(&eight, allowed + at, 8);
            if (eight) break;
            at += 8;
        }
        while (at < end && !allowed[at]) at++;
    }
    *row = at;
    if (!allowed) return end - at < most ? end - at : most;
    int64_t last = at, stop = at + most < end ? at + most : end;
    for (int64_t i = at; i < stop && i - last < 8; i++)
        if (allowed[i]) last = i + 1;
    return last - at;
}

int scan_one(const Kernel *kernel, const Block *block, int64_t width, int64_t base, const uint8_t *allowed, Probe *probe) {
    Pending pending = {.count = 0};
    const int64_t most = FEW / width > BLOCK ? BLOCK : FEW / width < TILE ? TILE : FEW / width;
    for (int64_t row = 0; row < block->rows;) {
        const int64_t rows = run(allowed, &row, block->rows, most);
        if (rows > 0 && filter(kernel, block, width, base, row, rows, allowed, &pending, probe)) return -1;
        row += rows > 0 ? rows : 0;
    }
    return flush(kernel, block, width, base, &pending, probe);
}

/* ---- many probes: a few rows at a time, which stay in the cache while every probe meets them ---- */

static int tile(const Kernel *kernel, const Block *block, int64_t width, int64_t base, int64_t row, const uint8_t *allowed,
                const uint8_t *packed, Probe *probes, int64_t count) {
    int32_t sums[LANE * TILE];
    float tops[TILE];
    const int8_t *planes[LANE];
    for (int k = 0; k < LANE; k++) planes[k] = probes[k < count ? k : 0].first;
    kernel->product(packed, width, planes, sums);
    for (int64_t k = 0; k < count; k++) {
        Probe *probe = probes + k;
        const float terms[3] = {probe->step, probe->reach[0], probe->missed[0]};
        const int32_t affine[2] = {1, 128 * probe->first_sum};
        if (!kernel->tops(sums + k * TILE, TILE, block->scales + row, block->residuals + row, terms, affine,
                          probe->threshold, tops))
            continue;
        Pending pending;
        pend(block, width, row, TILE, tops, allowed, probe->threshold, &pending);
        if (flush(kernel, block, width, base, &pending, probe)) return -1;
    }
    return 0;
}

int scan_many(const Kernel *kernel, const Block *block, int64_t width, int64_t base, const uint8_t *allowed, Probe *probes,
              int64_t count) {
    void *memory = NULL;
    uint8_t *packed = NULL;
    int failed = 0;
    if (kernel->product && count > 1) {
        memory = malloc((size_t)(2 * width * BLOCK + 64));
        if (!memory) return -1;
        packed = (uint8_t *)(((uintptr_t)memory + 63) / 64 * 64);
    }
    for (int64_t row = 0; row < block->rows && !failed;) {
        const int64_t rows = run(allowed, &row, block->rows, BLOCK), whole = packed && rows == BLOCK ? rows : 0;
        for (int64_t t = 0; t < whole; t += TILE)
            kernel->pack(block->high + (row + t) * width, block->low + (row + t) * width, width, packed + 2 * width * t);
        for (int64_t k = 0; k < count && whole && !failed; k += LANE)
            for (int64_t t = 0; t < whole && !failed; t += TILE)
                failed = tile(kernel, block, width, base, row + t, allowed, packed + 2 * width * t, probes + k,
                              count - k < LANE ? count - k : LANE);
        for (int64_t k = 0; k < count && rows > 0 && !whole && !failed; k++) {
            Pending pending = {.count = 0};
            failed = filter(kernel, block, width, base, row, rows, allowed, &pending, probes + k) ||
                             flush(kernel, block, width, base, &pending, probes + k)
                         ? -1
                         : 0;
        }
        row += rows > 0 ? rows : 0;
    }
    free(memory);
    return failed;
}

/* ---- encoding ---- */

#define LANES 8 /* partial sums, so that compilers may use vectors; their order is fixed all the same */
#define LONGEST (1 << 15)

static double added(const double *parts) {
    double sum = 0;
    for (int k = 0; k < LANES; k++) sum += parts[k];
    return sum;
}

static float above(const double *parts) { return (float)(sqrt(added(parts)) * (1 + 0x1p-22) + 0x1p-100); }

/* How far a row is from its codes and from their upper halves. */
static void measure(const float *values, const uint8_t *codes, int64_t dimension, double scale, float *fine, float *rough) {
    double near[LANES] = {0}, far[LANES] = {0};
    for (int64_t j = 0; j < dimension; j += LANES) {
        const int64_t some = dimension - j < LANES ? dimension - j : LANES;
        float x[LANES] = {0};
        int32_t whole[LANES] = {0}, half[LANES] = {0};
        for (int64_t k = 0; k < some; k++) {
            x[k] = values[j + k];
            whole[k] = codes[j + k] - 128;
            half[k] = (codes[j + k] & 240) - 120;
        }
        for (int k = 0; k < LANES; k++) {
            const double error = x[k] - scale * whole[k], gross = x[k] - scale * half[k];
            near[k] += error * error;
            far[k] += gross * gross;
        }
    }
    *fine = above(near);
    *rough = above(far);
}

int64_t encode_rows(const float *values, int64_t rows, int64_t dimension, int64_t width, Target target, double *length) {
    uint8_t codes[LONGEST];
    for (int64_t i = 0; i < rows; i++, values += dimension) {
        double square[LANES] = {0};
        float peak = 0;
        for (int64_t j = 0; j < dimension; j++) {
            const float size = fabsf(values[j]);
            square[j % LANES] += (double)values[j] * values[j];
            peak = size > peak ? size : peak;
        }
        *length = sqrt(added(square));
        if (!(*length <= REACH)) return i;
        const int tiny = peak < 0x1p-100f;
        const float scale = tiny ? 0 : peak / 127.0f, times = tiny ? 0 : 127.0f / peak;
        for (int64_t j = 0; j < dimension; j++) codes[j] = (uint8_t)((int32_t)magic(values[j] * times) + 128);
        memset(codes + dimension, 128, (size_t)(2 * width - dimension));
        for (int64_t g = 0; g < width; g += 64) {
            uint8_t *high = target.high + i * width + g, *low = target.low + i * width + g;
            const uint8_t *lower = codes + 2 * g, *upper = lower + 64;
            for (int j = 0; j < 64; j++) {
                high[j] = (uint8_t)(lower[j] >> 4 | (upper[j] & 240));
                low[j] = (uint8_t)((lower[j] & 15) | upper[j] << 4);
            }
        }
        measure(values, codes, dimension, scale, target.residuals + i, target.coarse + i);
        target.scales[i] = scale; /* last: until now the row was dead, or what it was */
    }
    return rows;
}
