/* What the extension module sees of the compiled engine.
 *
 * Arrays are void pointers to the type that a function's name ends with, float (_f32)
 * or double (_f64). Matrices are stored row by row. All memory belongs to the caller.
 */

#ifndef SKMLP_ENGINE_H
#define SKMLP_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "blas.h"
#include "threads.h"

/* The numbers that a formula can have. */
#define MOST_CONSTANTS 2 /* of an activation or operation; a loss has one */
#define MOST_STATE_ARRAYS 3
#define MOST_HYPERPARAMETERS 8
#define MOST_SCALARS 4

/* NumPy's bit generator, as numpy/random/bitgen.h lays it out. */
typedef struct {
    void *state;
    uint64_t (*next_uint64)(void *state);
    uint32_t (*next_uint32)(void *state);
    double (*next_double)(void *state);
    uint64_t (*next_raw)(void *state);
} bitgen_t;

/* An operation of the network: a layer of skmlp/layers with its arrays. The header of its
 * kind says what they are. Arrays that are not in use are NULL.
 */
typedef struct {
    int kind;
    ptrdiff_t n_in, n_out;
    int frozen;    /* the parameters are not trained */
    int is_output; /* the last dense layer */
    int activation;
    double constants[MOST_CONSTANTS];
    int n_parameters;
    void *parameters[2], *gradients[2], *statistics[2];

    /* Buffers for a batch. An operation may overwrite its input with its output, and the
     * derivative by its output with that by its input.
     */
    const void *input; /* NULL for the samples */
    void *out, *delta, *delta_in;
    void *buffers[4];
} Operation;

/* A part of the parameters: rows of a weight matrix, or a vector. */
typedef struct {
    ptrdiff_t operation;
    int parameter, is_weights;
    ptrdiff_t row, n_rows; /* rows of a weight matrix */
    ptrdiff_t begin, size; /* in the vector of all parameters */
    const void *kept;      /* the values of a frozen part */
    /* Sums over it: squares of the gradient, squares and magnitudes of the weights. */
    double grad_squares, weight_squares, weight_magnitudes;
} Part;

/* An optimizer. Arrays, hyperparameters and scalars are in the order in which the class
 * in Python declares them.
 */
typedef struct {
    int kind;
    void *state[MOST_STATE_ARRAYS];
    double hyperparameters[MOST_HYPERPARAMETERS];
    double learning_rate; /* of the last step */
    /* What steps change. */
    double scalars[MOST_SCALARS];
    int64_t t;
} OptimizerState;

typedef void gemm_t(char *, char *, int *, int *, int *, void *, void *, int *, void *,
                    int *, void *, void *, int *);

typedef struct {
    gemm_t *gemm;
    bitgen_t *bitgen; /* draws the masks of dropout */

    /* The network. */
    ptrdiff_t n_operations, first; /* the way back ends with operation `first` */
    Operation *operations;
    int loss, has_canonical_output, hard_labels;
    double loss_constant, loss_divisor;

    /* All parameters, and what happens to them. */
    void *theta, *grad, *running;
    ptrdiff_t n_parameters, n_running;
    ptrdiff_t n_parts;
    Part *parts;
    double l1, l2, weight_decay;
    double clip_norm, max_norm; /* infinite for none */
    double norm_momentum;       /* 0 leaves the running statistics alone */
    OptimizerState optimizer;

    /* The samples: X with its strides in elements, Y in the type, or as bytes if its
     * labels are hard.
     */
    const void *X, *Y, *w;
    ptrdiff_t X_row, X_column;

    /* Buffers for a batch. */
    ptrdiff_t batch_size;
    void *X_batch, *Y_batch, *w_batch;
    double *block_loss; /* n_blocks(batch_size) */
} Plan;

/* Batch `number` of an epoch: samples [start, stop) of its order, whose weights, of
 * which n_weighted are positive, have the sum n. The greatest is that of row `heaviest`.
 */
typedef struct {
    ptrdiff_t number, start, stop, n_weighted, heaviest;
    double n, learning_rate;
} Batch;

/* What steps add up. */
typedef struct {
    double loss;      /* objective of each batch times its number of samples */
    double grad_norm; /* norms of the gradients */
    double mean_loss; /* of the last batch, without the division by the outputs */
    double penalty;   /* divided by the sum of its weights */
} Totals;

/* Samples that are computed together; a batch is shared out in such blocks. */
#define BLOCK_ROWS 128

/* Samples of which X_batch is a copy, if they do not lie as BLAS wants them. From larger
 * batches, which may be all samples, every thread gathers a block of its own again and
 * again: a second copy of X may not fit into memory.
 */
#define MOST_GATHERED (MAX_THREADS * BLOCK_ROWS)

static inline ptrdiff_t n_blocks(ptrdiff_t n_rows)
{
    return (n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

/* What is to be said of an epoch. */
typedef struct {
    double loss, grad_norm, seconds; /* means over its samples, and over its steps */
} Epoch;

/* Divide an epoch into batches, but for those whose weights are all zero. Returns
 * their number.
 */
ptrdiff_t divide_f32(const Plan *, const intptr_t *order, ptrdiff_t n_samples, Batch *);
ptrdiff_t divide_f64(const Plan *, const intptr_t *order, ptrdiff_t n_samples, Batch *);

/* Take a step for each batch, and add to the totals. */
void train_f32(Plan *, const intptr_t *order, ptrdiff_t n_batches, const Batch *,
               Threads *, Totals *);
void train_f64(Plan *, const intptr_t *order, ptrdiff_t n_batches, const Batch *,
               Threads *, Totals *);

/* Run epochs, each with a learning rate of its own. The order of epoch k begins at
 * orders[k * stride]; `orders` is NULL for the samples as they lie. Returns the number of
 * epochs, which is less than n_epochs after one that leaves something infinite behind.
 */
ptrdiff_t train_epochs_f32(Plan *, const intptr_t *orders, ptrdiff_t stride,
                           ptrdiff_t n_samples, Batch *, ptrdiff_t n_epochs,
                           const double *rates, Threads *, Epoch *);
ptrdiff_t train_epochs_f64(Plan *, const intptr_t *orders, ptrdiff_t stride,
                           ptrdiff_t n_samples, Batch *, ptrdiff_t n_epochs,
                           const double *rates, Threads *, Epoch *);

/* Shuffle as NumPy's RandomState does, whose stream of numbers is never to change. */
void shuffle(bitgen_t *, ptrdiff_t n, intptr_t *order);

/* The objective on a batch of samples as they lie, and with `with_gradient` its
 * gradient, without the L1 part of the penalty.
 */
void evaluate_f32(Plan *, const Batch *, int with_gradient, Threads *, Totals *);
void evaluate_f64(Plan *, const Batch *, int with_gradient, Threads *, Totals *);

/* Output before the output activation. The plan has the operations for each thread, one
 * thread after the other, and `X_buffers` BLOCK_ROWS rows of samples for each.
 */
void predict_f32(const Plan *, ptrdiff_t n_samples, void *X_buffers, Threads *,
                 void *out);
void predict_f64(const Plan *, ptrdiff_t n_samples, void *X_buffers, Threads *,
                 void *out);

/* Single formulas, for the tests that compare them with NumPy's. */
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

/* Names of the formulas that the engine has, in the order of their codes; NULL at the
 * end. Code 0 of the optimizers stands for none.
 */
extern const char *activation_names[], *loss_names[], *optimizer_names[],
    *penalty_names[], *operation_names[];

/* Name of the instruction set that the loops use. */
const char *instruction_set(void);

#endif
