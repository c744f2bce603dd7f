// Where the round trips of an operation begin in pipelined mode.
#pragma once

#include "loadgen/workload/operation.h"

namespace pantryd::loadgen {

/// Sets starts_batch and starts_batch_again of every step. A batch ends where a step needs what a
/// step of the same batch captures, and after a step whose row count decides: what follows must not
/// be sent before that is known. It also ends before a BEGIN, which would take the statements
/// before it into its transaction.
void mark_batches(Operation& operation);

}  // namespace pantryd::loadgen
