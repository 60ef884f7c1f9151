#include <openssl/core_dispatch.h>

#include "provider/provider.h"

/* What OpenSSL looks for in a module: provider(7). */
OSSL_provider_init_fn OSSL_provider_init;

int OSSL_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                       void **context)
{
    return pqlattice_provider_init(core, in, out, context);
}
