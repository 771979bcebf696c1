# Writes the header with the helper's digest; cmake -DHELPER=... -DHEADER=... -P this
file(SHA256 ${HELPER} digest)
file(CONFIGURE OUTPUT ${HEADER} CONTENT "/* made by the build */\n#define HELPER_DIGEST \"${digest}\"\n" @ONLY)
