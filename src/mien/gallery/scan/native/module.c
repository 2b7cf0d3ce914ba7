/* What Python sees: `names`, `scan`, `encode` and `exact` over objects with the buffer protocol. Shapes are the caller's duty; sizes
   are checked here, so that a wrong call raises and reads nothing out of bounds. */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "scan.h"

#include <stdlib.h>
#include <string.h>

#define PARTS 5 /* of a block: high, low, scales, residuals, coarse */

static const Kernel *kernel_named(const char *name) {
    for (const Kernel *const *kernel = kernels; *kernel; kernel++)
        if (!strcmp((*kernel)->name, name) && kernel_runs(*kernel)) return *kernel;
    PyErr_Format(PyExc_ValueError, "no kernel %s here", name);
    return NULL;
}

static PyObject *names(PyObject *module, PyObject *none) {
    (void)module, (void)none;
    PyObject *list = PyList_New(0);
    for (const Kernel *const *kernel = kernels; list && *kernel; kernel++) {
        if (!kernel_runs(*kernel)) continue;
        PyObject *name = PyUnicode_FromString((*kernel)->name);
        if (!name || PyList_Append(list, name)) Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

/* The buffers of one block, opened; 0 or -1 with an error set. */
static int block_open(PyObject *tuple, Py_buffer *views, int64_t width, int flags, Block *block) {
    if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) != PARTS) {
        PyErr_SetString(PyExc_TypeError, "a block is a tuple of five buffers");
        return -1;
    }
    for (int i = 0; i < PARTS; i++)
        if (PyObject_GetBuffer(PyTuple_GetItem(tuple, i), views + i, flags)) {
            while (i--) PyBuffer_Release(views + i);
            return -1;
        }
    const Py_ssize_t rows = views[2].len / 4;
    if (views[0].len != rows * width || views[1].len != rows * width || views[2].len != 4 * rows ||
        views[3].len != 4 * rows || views[4].len != 4 * rows) {
        for (int i = 0; i < PARTS; i++) PyBuffer_Release(views + i);
        PyErr_SetString(PyExc_ValueError, "the buffers of a block do not fit each other");
        return -1;
    }
    *block = (Block){views[0].buf, views[1].buf, views[2].buf, views[3].buf, views[4].buf, rows};
    return 0;
}

typedef struct {
    Py_buffer *views, probes, allowed;
    Block *blocks;
    Probe *queries;
    Py_ssize_t opened, count;
    int has_probes, has_allowed;
} Call;

static void call_close(Call *call) {
    for (Py_ssize_t i = 0; i < PARTS * call->opened; i++) PyBuffer_Release(call->views + i);
    if (call->has_probes) PyBuffer_Release(&call->probes);
    if (call->has_allowed) PyBuffer_Release(&call->allowed);
    for (Py_ssize_t i = 0; call->queries && i < call->count; i++) probe_close(call->queries + i);
    free(call->views);
    free(call->blocks);
    free(call->queries);
}

static int run_all(const Kernel *kernel, Call *call, int64_t width, int64_t dimension, int64_t wanted, float floor,
                   double *length) {
    int failed = 0;
    for (Py_ssize_t i = 0; i < call->count && !failed; i++) {
        failed = probe_open(call->queries + i, (const float *)call->probes.buf + i * dimension, dimension, width, length);
        if (!failed) failed = probe_begin(call->queries + i, wanted, floor);
    }
    int64_t base = 0;
    for (Py_ssize_t i = 0; i < call->opened && !failed; i++) {
        const uint8_t *allowed = call->has_allowed ? (const uint8_t *)call->allowed.buf + base : NULL;
        failed = call->count == 1
                     ? scan_one(kernel, call->blocks + i, width, base, allowed, call->queries)
                     : scan_many(kernel, call->blocks + i, width, base, allowed, call->queries, call->count);
        base += call->blocks[i].rows;
    }
    for (Py_ssize_t i = 0; i < call->count && !failed; i++) probe_finish(call->queries + i);
    return failed;
}

/* OverflowError with the length of the probe that is too long. */
static void raise_length(double length) {
    PyObject *value = PyFloat_FromDouble(length);
    if (value) PyErr_SetObject(PyExc_OverflowError, value);
    Py_XDECREF(value);
}

static PyObject *results(const Call *call) {
    PyObject *list = PyList_New(call->count);
    for (Py_ssize_t i = 0; list && i < call->count; i++) {
        const Probe *probe = call->queries + i;
        PyObject *triple = Py_BuildValue("(y#dy#)", probe->found ? (const char *)probe->rows : "",
                                         (Py_ssize_t)(probe->found * 8), (double)probe->threshold,
                                         probe->found ? (const char *)probe->tops : "", (Py_ssize_t)(probe->found * 4));
        if (!triple || PyList_SetItem(list, i, triple)) Py_CLEAR(list);
    }
    return list;
}

/* scan(kernel, blocks, probes, dimension, width, wanted, floor, allowed) -> [(rows, threshold, tops)]: row numbers as the bytes
   of 64-bit integers, upper bounds of their scores as those of floats. A probe that is too long raises OverflowError with its length. */
static PyObject *scan(PyObject *module, PyObject *args) {
    (void)module;
    const char *name;
    PyObject *blocks, *probes, *allowed, *list = NULL;
    Py_ssize_t dimension, width, wanted;
    double floor, length = 0;
    if (!PyArg_ParseTuple(args, "sO!OnnndO", &name, &PyTuple_Type, &blocks, &probes, &dimension, &width, &wanted, &floor,
                          &allowed))
        return NULL;
    const Kernel *kernel = kernel_named(name);
    if (!kernel) return NULL;
    if (width < 64 || width % 64 || width > 1 << 14 || dimension < 1 || dimension > 2 * width || wanted < 1) {
        PyErr_SetString(PyExc_ValueError, "dimension, width or number of rows out of range");
        return NULL;
    }
    Call call = {0};
    const Py_ssize_t size = PyTuple_Size(blocks);
    int64_t total = 0;
    int failed = 0;
    call.views = calloc((size_t)(PARTS * size + 1), sizeof *call.views);
    call.blocks = calloc((size_t)size + 1, sizeof *call.blocks);
    if (!call.views || !call.blocks) {
        PyErr_NoMemory();
        goto done;
    }
    for (; call.opened < size; call.opened++) {
        Block *block = call.blocks + call.opened;
        if (block_open(PyTuple_GetItem(blocks, call.opened), call.views + PARTS * call.opened, width, PyBUF_SIMPLE, block))
            goto done;
        total += block->rows;
    }
    if (PyObject_GetBuffer(probes, &call.probes, PyBUF_SIMPLE)) goto done;
    call.has_probes = 1;
    if (allowed != Py_None) {
        if (PyObject_GetBuffer(allowed, &call.allowed, PyBUF_SIMPLE)) goto done;
        call.has_allowed = 1;
    }
    call.count = call.probes.len / (4 * dimension);
    call.queries = calloc((size_t)call.count + 1, sizeof *call.queries);
    if (call.probes.len != 4 * dimension * call.count || (call.has_allowed && call.allowed.len != total)) {
        PyErr_SetString(PyExc_ValueError, "the probes or the mask do not fit the blocks");
        goto done;
    }
    if (!call.queries) {
        PyErr_NoMemory();
        goto done;
    }
    if (wanted > total) wanted = total + 1; /* more than there are is as good as all, and never reached */
    Py_BEGIN_ALLOW_THREADS
    failed = run_all(kernel, &call, width, dimension, wanted, (float)floor, &length);
    Py_END_ALLOW_THREADS
    if (failed == -1) PyErr_NoMemory();
    else if (failed) raise_length(length);
    else list = results(&call);
done:
    call_close(&call);
    return list;
}

/* encode(vectors, dimension, width, block) -> rows done; fewer than all, and the length of the next, where it is too long. */
static PyObject *encode(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *vectors, *tuple;
    Py_ssize_t dimension, width;
    if (!PyArg_ParseTuple(args, "OnnO", &vectors, &dimension, &width, &tuple)) return NULL;
    Py_buffer source, views[PARTS];
    Block block;
    if (width < 64 || width % 64 || width > 1 << 14 || dimension < 1 || dimension > 2 * width) {
        PyErr_SetString(PyExc_ValueError, "dimension or width out of range");
        return NULL;
    }
    if (PyObject_GetBuffer(vectors, &source, PyBUF_SIMPLE)) return NULL;
    PyObject *result = NULL;
    if (!block_open(tuple, views, width, PyBUF_WRITABLE, &block)) {
        if (source.len == 4 * dimension * block.rows) {
            const Target target = {views[0].buf, views[1].buf, views[2].buf, views[3].buf, views[4].buf};
            int64_t done;
            double length = 0;
            Py_BEGIN_ALLOW_THREADS
            done = encode_rows(source.buf, block.rows, dimension, width, target, &length);
            Py_END_ALLOW_THREADS
            result = Py_BuildValue("(nd)", (Py_ssize_t)done, length);
        } else {
            PyErr_SetString(PyExc_ValueError, "the vectors do not fit the block");
        }
        for (int i = 0; i < PARTS; i++) PyBuffer_Release(views + i);
    }
    PyBuffer_Release(&source);
    return result;
}

/* exact(vectors, probe, out) -> how many are not certain: inner products of the rows with `probe`, as doubles; those NaN. */
static PyObject *exact(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *vectors, *probe, *out, *result = NULL;
    if (!PyArg_ParseTuple(args, "OOO", &vectors, &probe, &out)) return NULL;
    Py_buffer rows, one, scores;
    if (PyObject_GetBuffer(vectors, &rows, PyBUF_SIMPLE)) return NULL;
    if (PyObject_GetBuffer(probe, &one, PyBUF_SIMPLE)) goto rows;
    if (PyObject_GetBuffer(out, &scores, PyBUF_WRITABLE)) goto probe;
    if (one.len >= 4 && scores.len / 8 * one.len == rows.len) {
        int64_t open;
        Py_BEGIN_ALLOW_THREADS
        open = exact_products(rows.buf, scores.len / 8, one.len / 4, one.buf, scores.buf);
        Py_END_ALLOW_THREADS
        result = PyLong_FromLongLong(open);
    } else {
        PyErr_SetString(PyExc_ValueError, "the vectors, the probe and the room for scores do not fit each other");
    }
    PyBuffer_Release(&scores);
probe:
    PyBuffer_Release(&one);
rows:
    PyBuffer_Release(&rows);
    return result;
}

static PyMethodDef methods[] = {{"names", names, METH_NOARGS, "Kernels that run on this processor, the best first."},
                                {"scan", scan, METH_VARARGS, "See mien.gallery.scan.search."},
                                {"encode", encode, METH_VARARGS, "See mien.gallery.scan.codes."},
                                {"exact", exact, METH_VARARGS, "See mien.gallery.scan.scoring."},
                                {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "The scan over codes, compiled.", 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
