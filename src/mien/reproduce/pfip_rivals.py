"""What the sealed gallery is held against, built on Microsoft SEAL through TenSEAL.

`Rebuild` has the shape of PFIP (arXiv 2507.02414): CKKS slots, m-dimensional codes packed slots / m to a ciphertext, inner
products by multiplying, rescaling and log2(m) rotations, then the same in full for a shortlist. It was written from the
abstract and the description of its packing; the authors' code, parameters and hardware were not seen. `Naive` is the loop of
tutorials: one ciphertext per template, one `dot` each. Both are baselines for measuring, not product code.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mien.audit.metrics import F64, I64
from mien.gallery.sealed.preselection import Preselection, shortlist
from mien.types import F32

RING, PRIMES, SCALE = 8192, (60, 40, 60), 2.0**40  # 128 bits by the homomorphic encryption standard (at most 218)
TUTORIAL = (60, 40, 40, 60)  # TenSEAL's own tutorial
SHORTLIST = 10
MISSING = "tenseal is not installed"


def available() -> bool:
    """Whether TenSEAL is there."""
    return find_spec("tenseal") is not None


def _seal() -> Any:
    return import_module("tenseal.sealapi")


@dataclass(slots=True)
class Rebuild:
    """A gallery in the shape of the paper, with its five steps apart so that each can be timed."""

    gallery: F32  # (n, d)
    preselection: Preselection
    seal: Seal = field(init=False)
    codes: list[Any] = field(init=False)  # ciphertexts of packed codes
    whole: list[Any] = field(init=False)  # one ciphertext per template
    state: dict[str, Any] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.seal = Seal.make()
        codes = self.preselection.codes(self.gallery)
        each = self.seal.slots // self.width
        self.codes = [self.seal.encrypt(codes[start : start + each].ravel()) for start in range(0, len(codes), each)]
        self.whole = [self.seal.encrypt(row) for row in self.gallery]

    @property
    def width(self) -> int:
        """Dimension of the codes."""
        assert self.preselection.basis is not None
        return int(self.preselection.basis.shape[1])

    def encrypt(self, probe: F32) -> None:
        """The device: its code and its template, each repeated or padded to a ciphertext."""
        code = self.preselection.codes(probe[None])[0]
        self.state["code"] = self.seal.encrypt(np.tile(code, self.seal.slots // self.width))
        self.state["whole"] = self.seal.encrypt(np.tile(probe, self.seal.slots // len(probe)))

    def coarse(self) -> None:
        """The matcher, first round."""
        code = self.state["code"]
        self.state["coarse"] = [self.seal.product(one, code, self.width) for one in self.codes]

    def choose(self) -> None:
        """The key holder, first round."""
        scores = [self.seal.decrypt(one)[:: self.width] for one in self.state["coarse"]]
        self.state["chosen"] = shortlist(np.concatenate(scores)[: len(self.gallery)], SHORTLIST)

    def fine(self) -> None:
        """The matcher, second round."""
        probe = self.state["whole"]
        width = len(self.gallery[0])
        self.state["fine"] = [self.seal.product(self.whole[row], probe, width) for row in self.state["chosen"].tolist()]

    def decide(self) -> int:
        """The key holder, second round: the row that is most alike."""
        chosen: I64 = self.state["chosen"]
        return int(chosen[int(np.argmax([self.seal.decrypt(one)[0] for one in self.state["fine"]]))])

    def bytes(self) -> dict[str, int]:
        """Of what is stored and sent, as SEAL writes it (compressed)."""
        size = self.seal.size
        return {
            "gallery": size(self.whole[0]) * len(self.whole) + size(self.codes[0]) * len(self.codes),
            "probe": size(self.state["code"]) + size(self.state["whole"]),
            "response": size(self.state["coarse"][0]) * len(self.codes) + size(self.state["fine"][0]) * SHORTLIST,
            "evaluation keys": size(self.seal.rotation) + size(self.seal.relinearisation),
        }


@dataclass(frozen=True, slots=True)
class Seal:
    """Keys and operations of CKKS at the level below TenSEAL's tensors."""

    encryptor: Any
    decryptor: Any
    evaluator: Any
    encoder: Any
    relinearisation: Any
    rotation: Any
    slots: int = RING // 2

    @classmethod
    def make(cls) -> Seal:
        """New keys."""
        seal = _seal()

        parameters = seal.EncryptionParameters(seal.SCHEME_TYPE.CKKS)
        parameters.set_poly_modulus_degree(RING)
        parameters.set_coeff_modulus(seal.CoeffModulus.Create(RING, list(PRIMES)))
        context = seal.SEALContext(parameters, True, seal.SEC_LEVEL_TYPE.TC128)
        keys = seal.KeyGenerator(context)
        public, relinearisation, rotation = seal.PublicKey(), seal.RelinKeys(), seal.GaloisKeys()
        keys.create_public_key(public)
        keys.create_relin_keys(relinearisation)
        keys.create_galois_keys(rotation)
        return cls(
            seal.Encryptor(context, public, keys.secret_key()),
            seal.Decryptor(context, keys.secret_key()),
            seal.Evaluator(context),
            seal.CKKSEncoder(context),
            relinearisation,
            rotation,
        )

    def encrypt(self, values: F32) -> Any:
        """Up to `slots` numbers to a ciphertext, with the public key."""
        seal = _seal()

        plain, cipher = seal.Plaintext(), seal.Ciphertext()
        self.encoder.encode(values.astype(np.float64).tolist(), SCALE, plain)
        self.encryptor.encrypt(plain, cipher)
        return cipher

    def product(self, one: Any, other: Any, width: int) -> Any:
        """Inner products of neighbouring `width` slots; each stands in the first of them."""
        seal = _seal()

        found, turned = seal.Ciphertext(), seal.Ciphertext()
        self.evaluator.multiply(one, other, found)
        self.evaluator.relinearize_inplace(found, self.relinearisation)
        self.evaluator.rescale_to_next_inplace(found)
        step = 1
        while step < width:
            self.evaluator.rotate_vector(found, step, self.rotation, turned)
            self.evaluator.add_inplace(found, turned)
            step *= 2
        return found

    def decrypt(self, cipher: Any) -> F64:
        """(slots,) numbers."""
        seal = _seal()

        plain = seal.Plaintext()
        self.decryptor.decrypt(cipher, plain)
        return np.array(self.encoder.decode_double(plain), np.float64)

    @staticmethod
    def size(what: Any) -> int:
        """Bytes of what SEAL writes, which it does to files only."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "one")
            what.save(str(path))
            return path.stat().st_size


@dataclass(slots=True)
class Naive:
    """The loop of tutorials over a few templates; what it costs for more is scaled from that, and said to be."""

    gallery: F32  # (few, d)
    context: Any = field(init=False)
    whole: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        tenseal = import_module("tenseal")

        self.context = tenseal.context(
            tenseal.SCHEME_TYPE.CKKS, poly_modulus_degree=RING, coeff_mod_bit_sizes=list(TUTORIAL), n_threads=1
        )
        self.context.global_scale = SCALE
        self.context.generate_galois_keys()
        self.whole = [tenseal.ckks_vector(self.context, row.tolist()) for row in self.gallery]

    def search(self, probe: F32) -> F64:
        """(few,) scores: encrypt the probe, one `dot` and one decryption per template."""
        tenseal = import_module("tenseal")

        sealed = tenseal.ckks_vector(self.context, probe.tolist())
        return np.array([sealed.dot(one).decrypt()[0] for one in self.whole], np.float64)

    def bytes_each(self) -> int:
        """Of one template, as TenSEAL writes it (compressed)."""
        return len(self.whole[0].serialize())
