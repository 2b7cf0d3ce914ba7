/* Correctly rounded inner products of the few rows that a scan leaves.

   A product of two float32 is exact in double. Each sum t of two doubles s and p is taken with its error, which is a double
   too (Knuth, The Art of Computer Programming 2, section 4.2.2): (s - (t - z)) + (p - z) with z = t - s. So the product is
   exactly the running sum plus all those errors, and only the sum of the errors is rounded. With u = 2^-53 and rows and
   probes no longer than REACH each error is at most 1.01 u and there are at most n = dimension + 16, so what is added up of
   them is off by less than 1.1 n^2 u^2. Where the result is the same at both ends of that, it is the right one. */
#include "scan.h"

#include <float.h>
#include <math.h>

#if !defined(__GNUC__) || defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

#define LANES 8

static void add(double *sum, double *error, double term) {
    const double total = *sum + term, part = total - *sum;
    *error += (*sum - (total - part)) + (term - part);
    *sum = total;
}

/* The inner product, or NaN where it is not certain. */
static double product(const float *row, const float *probe, int64_t dimension) {
    double sums[LANES] = {0}, errors[LANES] = {0}, sum = 0, error = 0;
    int64_t j = 0;
    for (; j + LANES <= dimension; j += LANES)
        for (int k = 0; k < LANES; k++) add(sums + k, errors + k, (double)row[j + k] * probe[j + k]);
    for (; j < dimension; j++) add(sums, errors, (double)row[j] * probe[j]);
    for (int k = 0; k < LANES; k++) {
        add(&sum, &error, sums[k]);
        error += errors[k];
    }
    const double count = (double)dimension + 16, bound = 4 * count * count * 0x1p-106;
    const double low = sum + (error - bound), high = sum + (error + bound);
    return low == high ? low : NAN;
}

int64_t exact_products(const float *rows, int64_t count, int64_t dimension, const float *probe, double *out) {
    int64_t open = 0;
    for (int64_t i = 0; i < count; i++) {
        out[i] = FLT_EVAL_METHOD == 0 ? product(rows + i * dimension, probe, dimension) : NAN;
        open += out[i] != out[i];
    }
    return open;
}
