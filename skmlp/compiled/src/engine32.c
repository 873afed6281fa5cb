/* The engine in single precision. */

#define SINGLE 1
#include "real.h"

#include "engine.h"

#include "activations.h"
#include "losses.h"
#include "penalties.h"
#include "optimizers.h"

#include "columns.h"
#include "products.h"
#include "samples.h"
#include "stream.h"

#include "operations.h"

#include "output.h"

#include "step.h"

#include "epochs.h"

#include "predict.h"

#include "formulas.h"
