#pragma once

#include "base/random.h"
