"""Certificates and keys for a trial of TLS and node authentication on one machine.

For real sites take certificates of your own authority; a key that a script has made and left in a
folder protects no site.
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 7


@dataclass(frozen=True)
class Keys:
    """Files of an authority, a server certificate for this machine, and one key pair per node."""

    folder: Path
    nodes: int

    @property
    def ca(self) -> Path:
        """Certificate of the authority that nodes trust."""
        return self.folder / "ca.crt"

    @property
    def certificate(self) -> Path:
        """The SuperLink's certificate."""
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        """The SuperLink's private key."""
        return self.folder / "server.key"

    def node(self, i: int) -> Path:
        """Node i's private key; the public one has ``.pub`` behind its name."""
        return self.folder / f"node{i}"


def make(folder: Path, nodes: int) -> Keys:
    """Make all of them, valid for a week; private keys are readable by their owner only."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = Keys(folder, nodes)
    authority, server = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    root = _name("rndcfl loopback authority")
    ca = _builder(root, root, authority.public_key(), authority=True)
    link = _builder(_name("localhost"), root, server.public_key(), authority=False)
    for path, builder in ((keys.ca, ca), (keys.certificate, link)):
        signed = builder.sign(authority, hashes.SHA384())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    _private(keys.server_key, server, serialization.PrivateFormat.PKCS8)
    for i in range(nodes):
        key = ec.generate_private_key(ec.SECP384R1())
        _private(keys.node(i), key, serialization.PrivateFormat.OpenSSH)
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        keys.node(i).with_suffix(".pub").write_bytes(public + b"\n")
    return keys


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, authority: bool
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if authority:
        return builder
    here: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    return builder.add_extension(x509.SubjectAlternativeName(here), critical=False).add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
    )


def _private(
    path: Path, key: ec.EllipticCurvePrivateKey, form: serialization.PrivateFormat
) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    )
