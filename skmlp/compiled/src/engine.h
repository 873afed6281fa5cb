/* Interface between the extension module and the compiled engine.
 *
 * Arrays are void pointers. Their type is float in functions that end in _f32, and double
 * in those that end in _f64. Matrices are in row-major order. The caller owns all memory.
 */

#ifndef SKMLP_ENGINE_H
#define SKMLP_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "blas.h"
#include "threads.h"

/* Maximum numbers of constants, hyperparameters, scalars and arrays of a formula. */
#define MAX_CONSTANTS 2 /* of an activation or operation; a loss has one */
#define MAX_STATE_ARRAYS 3
#define MAX_HYPERPARAMETERS 8
#define MAX_SCALARS 4

/* NumPy's bit generator, with the layout of numpy/random/bitgen.h. */
typedef struct {
    void *state;
    uint64_t (*next_uint64)(void *state);
    uint32_t (*next_uint32)(void *state);
    double (*next_double)(void *state);
    uint64_t (*next_raw)(void *state);
} bitgen_t;

/* Whether each thread draws the masks of its rows, see stream.h. */
#ifdef __SIZEOF_INT128__
#define HAS_STREAM 1
#else
#define HAS_STREAM 0
#endif

/* The state of NumPy's PCG64, of which the high word of 128 bits comes first. */
typedef struct {
    uint64_t state[2], increment[2];
    int has_half; /* whether the second half of the last word is drawn next */
    uint32_t half;
    int is_known; /* otherwise the generator is of another kind */
} Stream;

/* An operation of the network: a layer of skmlp/layers with its arrays. The header of its
 * kind describes the arrays. Unused arrays are NULL.
 */
typedef struct {
    int kind;
    ptrdiff_t n_in, n_out;
    ptrdiff_t n_members; /* rows for each sample, see members.h */
    int frozen;          /* the parameters are not trained */
    int is_output;       /* the last dense layer */
    int activation;
    double constants[MAX_CONSTANTS];
    int n_parameters;
    void *parameters[2], *gradients[2], *statistics[2];

    /* Buffers for a batch. An operation can overwrite its input with its output, and the
     * derivative with respect to the output with that with respect to the input.
     */
    const void *input; /* NULL for the samples */
    void *out, *delta, *delta_in;
    void *buffers[4];
    uint64_t n_drawn; /* random numbers that the operations before it draw in a step */
} Operation;

/* A part of the parameters: rows of a weight matrix or a vector. */
typedef struct {
    ptrdiff_t operation;
    int parameter, is_weights;
    ptrdiff_t row, n_rows; /* rows of a weight matrix */
    ptrdiff_t begin, size; /* position in the vector of all parameters */
    const void *kept;      /* the values of a frozen part */
    /* Sums over the part: squared gradient, squared weights, absolute weights. */
    double grad_squares, weight_squares, weight_magnitudes;
} Part;

/* An optimizer. Arrays, hyperparameters and scalars have the order of the declaration in
 * the Python class.
 */
typedef struct {
    int kind;
    void *state[MAX_STATE_ARRAYS];
    double hyperparameters[MAX_HYPERPARAMETERS];
    double learning_rate; /* of the last step */
    /* Variables that steps change. */
    double scalars[MAX_SCALARS];
    int64_t t;
} OptimizerState;

typedef void gemm_t(char *, char *, int *, int *, int *, void *, void *, int *, void *,
                    int *, void *, void *, int *);

typedef struct {
    gemm_t *gemm;
    bitgen_t *bitgen; /* draws the masks of dropout, with `stream` if that is known */
    Stream stream;

    /* The network. */
    ptrdiff_t n_operations, first; /* backpropagation ends at operation `first` */
    Operation *operations;
    int loss, has_canonical_output, hard_labels;
    double loss_constant, loss_divisor;

    /* Parameters, penalties and bounds. */
    void *theta, *grad, *running;
    ptrdiff_t n_parameters, n_running;
    ptrdiff_t n_parts;
    Part *parts;
    double l1, l2, weight_decay;
    double clip_norm, max_norm; /* infinity for no bound */
    double norm_momentum;       /* 0 keeps the running statistics */
    OptimizerState optimizer;

    /* The samples: X with strides in elements, and Y as float or double, or as bytes for
     * hard labels.
     */
    const void *X, *Y, *w;
    ptrdiff_t X_row, X_column;

    /* Buffers for a batch. */
    ptrdiff_t batch_size;
    void *X_batch, *Y_batch, *w_batch; /* Y and w with the rows of members */
    double *block_loss;                /* n_blocks(batch_size) */
} Plan;

/* Batch `number` of an epoch: samples [start, stop) of its order. n is the sum of their
 * weights and n_weighted the number of positive weights. Row `max_weight_row` has the
 * maximum weight.
 */
typedef struct {
    ptrdiff_t number, start, stop, n_weighted, max_weight_row;
    double n, learning_rate;
} Batch;

/* Sums over steps. */
typedef struct {
    double loss;      /* objective of each batch times its number of samples */
    double grad_norm; /* norms of the gradients */
    double mean_loss; /* of the last batch, not divided by the number of outputs */
    double penalty;   /* divided by the sum of its weights */
} Totals;

/* Number of samples in a block. A batch is divided into blocks. */
#define BLOCK_ROWS 128

/* Number of samples in a block in prediction. BLAS copies the weights for each block, so
 * large blocks are faster. There are enough of them for several threads.
 */
#define MAX_PREDICTION_ROWS 512
#define MIN_PREDICTION_BLOCKS 4

static inline ptrdiff_t prediction_rows(ptrdiff_t n_samples)
{
    const ptrdiff_t n_rows = n_samples / MIN_PREDICTION_BLOCKS;
    if (n_samples < BLOCK_ROWS)
        return n_samples > 0 ? n_samples : 1;
    if (n_rows < BLOCK_ROWS)
        return BLOCK_ROWS;
    return n_rows < MAX_PREDICTION_ROWS ? n_rows : MAX_PREDICTION_ROWS;
}

/* Maximum number of samples that are copied to X_batch if BLAS cannot use them in place.
 * For larger batches, each thread copies one block at a time, because a copy of X might
 * not fit into memory.
 */
#define MAX_GATHERED (MAX_THREADS * BLOCK_ROWS)

static inline ptrdiff_t n_blocks(ptrdiff_t n_rows)
{
    return (n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

/* Results of an epoch. */
typedef struct {
    double loss, grad_norm, seconds; /* means over samples, and over steps */
} Epoch;

/* Divide an epoch into batches, without those whose weights are all zero. Return the
 * number of batches.
 */
ptrdiff_t divide_f32(const Plan *, const intptr_t *order, ptrdiff_t n_samples, Batch *);
ptrdiff_t divide_f64(const Plan *, const intptr_t *order, ptrdiff_t n_samples, Batch *);

/* Make a step for each batch, and add to the totals. */
void train_f32(Plan *, const intptr_t *order, ptrdiff_t n_batches, const Batch *,
               Threads *, Totals *);
void train_f64(Plan *, const intptr_t *order, ptrdiff_t n_batches, const Batch *,
               Threads *, Totals *);

/* Run epochs with a learning rate for each. The order of epoch k begins at
 * orders[k * stride]. `orders` is NULL for the order of X. Return the number of epochs.
 * It is less than n_epochs if parameters or gradients are not finite after an epoch.
 */
ptrdiff_t train_epochs_f32(Plan *, const intptr_t *orders, ptrdiff_t stride,
                           ptrdiff_t n_samples, Batch *, ptrdiff_t n_epochs,
                           const double *rates, Threads *, Epoch *);
ptrdiff_t train_epochs_f64(Plan *, const intptr_t *orders, ptrdiff_t stride,
                           ptrdiff_t n_samples, Batch *, ptrdiff_t n_epochs,
                           const double *rates, Threads *, Epoch *);

/* Shuffle like NumPy's RandomState, whose stream of numbers is guaranteed. */
void shuffle(bitgen_t *, ptrdiff_t n, intptr_t *order);

/* Evaluate the objective on a batch of samples in the order of X and, if `with_gradient`,
 * its gradient without the L1 part of the penalty.
 */
void evaluate_f32(Plan *, const Batch *, int with_gradient, Threads *, Totals *);
void evaluate_f64(Plan *, const Batch *, int with_gradient, Threads *, Totals *);

/* Compute the output before the output activation in blocks of `prediction_rows`. The plan
 * has the operations of each thread, one thread after the other, and `X_buffers` has the
 * rows of a block per thread.
 */
void predict_f32(const Plan *, ptrdiff_t n_samples, void *X_buffers, Threads *,
                 void *out);
void predict_f64(const Plan *, ptrdiff_t n_samples, void *X_buffers, Threads *,
                 void *out);

/* Single formulas for the tests, which compare them with NumPy. */
void activate_f32(int code, const double *constants, ptrdiff_t n_rows,
                  ptrdiff_t n_columns, const void *Z, void *A);
void activate_f64(int code, const double *constants, ptrdiff_t n_rows,
                  ptrdiff_t n_columns, const void *Z, void *A);
void differentiate_f32(int code, const double *constants, ptrdiff_t n_rows,
                       ptrdiff_t n_columns, const void *Z, const void *A, void *delta);
void differentiate_f64(int code, const double *constants, ptrdiff_t n_rows,
                       ptrdiff_t n_columns, const void *Z, const void *A, void *delta);
double loss_sum_f32(int code, double constant, int hard_labels, ptrdiff_t n,
                    const void *Y, const void *P);
double loss_sum_f64(int code, double constant, int hard_labels, ptrdiff_t n,
                    const void *Y, const void *P);
void loss_gradient_f32(int code, double constant, ptrdiff_t n, const void *Y,
                       const void *P, void *out);
void loss_gradient_f64(int code, double constant, ptrdiff_t n, const void *Y,
                       const void *P, void *out);

/* A matrix product of shape (m, n) and k terms in tiles with vectors of `bytes`, which the
 * processor must support: A B + b (b can be NULL), C + A B or A B^T. The element (i, p) of
 * A is A[i * A_row + p * A_column]. Return 0 if there are no such tiles.
 */
enum { MULTIPLY, ADD_PRODUCT, MULTIPLY_TRANSPOSED };
int product_f32(int kind, int bytes, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n,
                const void *A, ptrdiff_t A_row, ptrdiff_t A_column, const void *B,
                const void *b, void *C);
int product_f64(int kind, int bytes, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n,
                const void *A, ptrdiff_t A_row, ptrdiff_t A_column, const void *B,
                const void *b, void *C);

/* Names of the formulas in the order of their codes, terminated by NULL. Code 0 of the
 * optimizers means no optimizer.
 */
extern const char *activation_names[], *loss_names[], *optimizer_names[],
    *penalty_names[], *operation_names[];

/* Name of the instruction set that the loops use. */
const char *instruction_set(void);

/* Size of a vector in the products of tiles.h, or 0 if BLAS computes all products. */
int vector_bytes(void);

#endif
