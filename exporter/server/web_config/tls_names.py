"""Names that the web config file uses for TLS, which are Go's, and what they are called in OpenSSL."""

import ssl
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

VERIFY_MODES: Final[Mapping[str, ssl.VerifyMode]] = MappingProxyType(
    {
        "NoClientCert": ssl.VerifyMode.CERT_NONE,
        "VerifyClientCertIfGiven": ssl.VerifyMode.CERT_OPTIONAL,
        "RequireAndVerifyClientCert": ssl.VerifyMode.CERT_REQUIRED,
    }
)
UNVERIFIED_MODES: Final = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
"""Requests for certificates of any authority; Python's TLS verifies every certificate that it requests."""

VERSIONS: Final[Mapping[str, ssl.TLSVersion]] = MappingProxyType(
    {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
)

CIPHERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
        # Without forward secrecy. Toolkits that are built with an older Go accept them, and so do files for them.
        "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
        "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
        "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
        "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    }
)
"""Cipher suites for TLS 1.2. Go has deprecated names for the ChaCha20 suites too, which the toolkit does not accept."""

TLS13_CIPHERS: Final = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
"""Cipher suites for TLS 1.3. They are always enabled, in Go and here; listing them is accepted in both."""

CURVES: Final[Mapping[str, str]] = MappingProxyType(
    {"X25519": "X25519", "CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1"}
)
HYBRID_CURVE: Final = "X25519MLKEM768"
"""Post-quantum key exchange, which OpenSSL has since `HYBRID_OPENSSL` and then prefers."""
HYBRID_OPENSSL: Final = (3, 5)


def curve_for(names: Collection[str], openssl: tuple[int, ...] = ssl.OPENSSL_VERSION_INFO) -> str | None:
    """Return the OpenSSL name of the only curve, or None if OpenSSL's default covers the names.

    The order has no effect, as in Go since version 1.24.

    Args:
        names: names of known curves.
        openssl: version of OpenSSL.

    Raises:
        ValueError: this selection cannot be set; the message gives the reason.
    """
    selected = set(names)
    if HYBRID_CURVE in selected and openssl[:2] < HYBRID_OPENSSL:
        raise ValueError(
            f"{HYBRID_CURVE} requires OpenSSL 3.5 or later; this Python uses OpenSSL {openssl[0]}.{openssl[1]}"
        )
    if not selected or selected >= CURVES.keys():
        return None
    if len(selected) > 1:
        raise ValueError(f"list one curve or all of {', '.join(CURVES)}; Python cannot set some of them")
    (name,) = selected
    return CURVES.get(name, name)
