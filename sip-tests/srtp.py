"""SRTP of our own (RFC 3711): AES_CM_128_HMAC_SHA1_80 by OpenSSL's AES and Python's HMAC, sharing no code with offhook."""

import base64
import ctypes
import ctypes.util
import functools
import hmac
import os
import struct

SUITE = "AES_CM_128_HMAC_SHA1_80"
KEY, SALT, TAG = 16, 14, 10


class Key:
    """A master key and its salt, for what one side sends; it counts how often sequence numbers wrap."""

    def __init__(self, key_and_salt=None):
        self.key_and_salt = key_and_salt or os.urandom(KEY + SALT)
        self.cipher, self.auth, self.salt = (self._derived(label, size) for label, size in ((0, KEY), (1, 20), (2, SALT)))
        self._wraps, self._latest = 0, None

    @classmethod
    def of(cls, description):
        """The one that an answer names."""
        line = next(line for line in description.splitlines() if line.startswith("a=crypto:") and SUITE in line)
        return cls(base64.b64decode(line.partition("inline:")[2].split("|")[0].split()[0]))

    def line(self):
        """What a description says of it (RFC 4568)."""
        return f"a=crypto:1 {SUITE} inline:{base64.b64encode(self.key_and_salt).decode()}"

    def protect(self, packet):
        """A packet of RTP with a header of 12 bytes, encrypted and signed."""
        index = self._index(packet)
        sealed = packet[:12] + self._crypt(packet, index)
        return sealed + self._tag(sealed, index)

    def open(self, datagram):
        """The packet of RTP in a datagram; `None` if it is not authentic, or none."""
        packet, tag = datagram[:-TAG], datagram[-TAG:]
        if len(packet) < 12:
            return None
        index = self._index(packet)
        if not hmac.compare_digest(tag, self._tag(packet, index)):
            return None
        return packet[:12] + self._crypt(packet, index)

    def _index(self, packet):
        """Of packets that come in order (§3.3.1)."""
        (sequence,) = struct.unpack_from("!H", packet, 2)
        if self._latest is not None and sequence < self._latest - 0x8000:
            self._wraps += 1
        self._latest = sequence
        return self._wraps << 16 | sequence

    def _crypt(self, packet, index):
        ssrc = int.from_bytes(packet[8:12], "big")
        return aes_counter(self.cipher, int.from_bytes(self.salt, "big") << 16 ^ ssrc << 64 ^ index << 16, packet[12:])

    def _tag(self, packet, index):
        return hmac.digest(self.auth, packet + struct.pack("!I", index >> 16), "sha1")[:TAG]

    def _derived(self, label, size):
        """A session key (§4.3.1)."""
        key, salt = self.key_and_salt[:KEY], int.from_bytes(self.key_and_salt[KEY:], "big")
        return aes_counter(key, (salt ^ label << 48) << 16, bytes(size))


def aes_counter(key, start, data):
    """Data under AES-128 in counter mode."""
    crypto = _crypto()
    context = crypto.EVP_CIPHER_CTX_new()
    into, size = ctypes.create_string_buffer(len(data)), ctypes.c_int()
    crypto.EVP_EncryptInit_ex(context, crypto.EVP_aes_128_ctr(), None, key, start.to_bytes(16, "big"))
    crypto.EVP_EncryptUpdate(context, into, ctypes.byref(size), data, len(data))
    crypto.EVP_CIPHER_CTX_free(context)
    return into.raw[: size.value]


@functools.cache
def _crypto():
    crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
        ("EVP_CIPHER_CTX_new", pointer, []), ("EVP_CIPHER_CTX_free", None, [pointer]), ("EVP_aes_128_ctr", pointer, []),
        ("EVP_EncryptInit_ex", ctypes.c_int, [pointer, pointer, pointer, text, text]),
        ("EVP_EncryptUpdate", ctypes.c_int, [pointer, pointer, ctypes.POINTER(ctypes.c_int), text, ctypes.c_int]),
    ):
        function = getattr(crypto, name)
        function.restype, function.argtypes = result, arguments
    return crypto
