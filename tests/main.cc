// SPDX-License-Identifier: Apache-2.0
#include "tests/catch_main.h"
