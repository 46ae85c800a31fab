// SPDX-License-Identifier: Apache-2.0
//! Clock domains: monotonic stamps mean something only within one boot of one host, or one simulated run.

/// Identifies the clock behind every `mono_*` stamp of a table: boot id, or simulation run id.
pub type ClockDomain = [u8; 16];

/// First byte of the id of a simulated run; a boot id is a version-4 UUID whose byte 6 starts with 4.
const SIMULATED_MARK: u8 = 0x50;

/// The boot id of this host.
///
/// # Errors
/// When `/proc/sys/kernel/random/boot_id` cannot be read or is no UUID.
pub fn boot_domain() -> std::io::Result<ClockDomain> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let mut domain = [0; 16];
    if digits.len() != 32 {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, format!("boot id {text:?} is no UUID")));
    }
    for (byte, pair) in domain.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
    }
    Ok(domain)
}

/// The domain of a simulated run. Its version nibble is 5, so it never equals a boot id.
#[must_use]
pub fn simulated_domain(run: u64) -> ClockDomain {
    let mut domain = *b"SIMULAT\0\0\0\0\0\0\0\0\0";
    domain[6] = SIMULATED_MARK;
    domain[8..].copy_from_slice(&run.to_le_bytes());
    domain
}

/// True for a domain made by [`simulated_domain`].
#[must_use]
pub fn is_simulated(domain: &ClockDomain) -> bool {
    domain[..6] == *b"SIMULA" && domain[6] == SIMULATED_MARK
}

/// Hexadecimal form for messages.
#[must_use]
pub fn domain_text(domain: &ClockDomain) -> String {
    domain.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_is_never_taken_for_a_simulation() {
        let boot = boot_domain().unwrap();
        assert_ne!(boot, [0; 16]);
        assert!(!is_simulated(&boot));
        assert!(is_simulated(&simulated_domain(7)));
        assert_ne!(simulated_domain(7), simulated_domain(8));
    }
}
