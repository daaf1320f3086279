/* The version as data, which tools read off the file without running it. */
#include "dcecore.h"

const uint32_t dce_core_abi = DCE_CORE_ABI_VERSION;
