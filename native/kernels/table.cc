// The kernels of one instruction set, as the one symbol that the runtime looks for.
#include "kernel.h"

namespace saddlepoint {

#define SADDLEPOINT_DECLARE(name) extern "C" Failure SADDLEPOINT_SYMBOL(name)(const Call& call);
SADDLEPOINT_KERNELS(SADDLEPOINT_DECLARE)
#undef SADDLEPOINT_DECLARE
extern "C" double SADDLEPOINT_SYMBOL(fmaPeak)(double seconds);

#define SADDLEPOINT_QUOTE2(text) #text
#define SADDLEPOINT_QUOTE(text) SADDLEPOINT_QUOTE2(text)
#define SADDLEPOINT_ENTRY(name) SADDLEPOINT_SYMBOL(name),
extern "C" const KernelTable SADDLEPOINT_SYMBOL(table);
const KernelTable SADDLEPOINT_SYMBOL(table) = {
    SADDLEPOINT_QUOTE(SADDLEPOINT_ISA),
    {SADDLEPOINT_KERNELS(SADDLEPOINT_ENTRY)},
    SADDLEPOINT_SYMBOL(fmaPeak),
};

}  // namespace saddlepoint
