//! A certificate authority of the broker's own, made by `openssl`, and one that signed nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Error;
use crate::process::run_within;

/// Making a key of 2,048 bits takes less than a second.
const OPENSSL: Duration = Duration::from_secs(60);
/// Longer than any test.
const DAYS: &str = "2";

/// The files, in a directory of their own.
pub(crate) struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    /// Makes an authority, a stranger's authority, and certificates for the broker and for a client.
    ///
    /// # Errors
    /// When `openssl` is not installed or fails.
    pub(crate) fn make(directory: &Path) -> Result<Self, Error> {
        fs::create_dir(directory).map_err(Error::io(format_args!("cannot create {}", directory.display())))?;
        let it = Self { directory: directory.to_owned() };
        it.authority("ca")?;
        it.authority("other-ca")?;
        it.certificate("broker")?;
        it.certificate("client")?;
        it.keystore()?;
        Ok(it)
    }

    /// One of them, such as `ca.pem`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn openssl(&self, arguments: &str) -> Result<Vec<u8>, Error> {
        let mut openssl = Command::new("openssl");
        openssl.args(arguments.split(' ')).current_dir(&self.directory);
        run_within(&mut openssl, OPENSSL)
    }

    fn authority(&self, name: &str) -> Result<(), Error> {
        self.openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem -days {DAYS} -subj /CN={name}"
        ))?;
        Ok(())
    }

    fn certificate(&self, name: &str) -> Result<(), Error> {
        self.openssl(&format!("req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"))?;
        let names = self.path("names");
        fs::write(&names, "subjectAltName=DNS:localhost,IP:127.0.0.1\n").map_err(Error::io("cannot write a file"))?;
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {DAYS} -out {name}.pem -extfile names"
        ))?;
        Ok(())
    }

    /// Kafka's PEM keystore: the key (PKCS 8) and its certificate in one file.
    fn keystore(&self) -> Result<(), Error> {
        let mut keystore = self.openssl("pkcs8 -topk8 -nocrypt -in broker.key")?;
        let certificate = fs::read(self.path("broker.pem")).map_err(Error::io("cannot read the certificate"))?;
        keystore.extend(certificate);
        fs::write(self.path("keystore.pem"), keystore).map_err(Error::io("cannot write the keystore"))
    }
}
