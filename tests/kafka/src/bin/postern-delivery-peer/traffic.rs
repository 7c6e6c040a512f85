//! The messages: their number, their sender and the seed decide their size and their bytes, so that a receiver can check them.

/// 64 B to 64 KiB, log-uniform.
const SMALLEST: u32 = 6;
const LARGEST: u32 = 16;

#[derive(Clone, Copy)]
pub(crate) struct Traffic {
    pub(crate) seed: u64,
}

impl Traffic {
    /// Message `number` of one of the two programs.
    pub(crate) fn message(self, accepts: bool, number: u64) -> Vec<u8> {
        let mut random = SplitMix(self.seed ^ (number << 1 | u64::from(accepts)).wrapping_mul(0x2545_f491_4f6c_dd1d));
        // As many bits as a number between the two has in a fraction.
        let fraction = (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let exponent = f64::from(SMALLEST) + fraction * f64::from(LARGEST - SMALLEST);
        let size = exponent.exp2() as usize;
        let mut message = number.to_le_bytes().to_vec();
        while message.len() < size {
            message.extend(random.next().to_le_bytes());
        }
        message.truncate(size);
        message
    }

    /// The number of a message of the other program, if it is what was sent.
    pub(crate) fn number(self, sender_accepts: bool, message: &[u8]) -> Option<u64> {
        let number = u64::from_le_bytes(*message.first_chunk()?);
        (self.message(sender_accepts, number) == message).then_some(number)
    }
}

/// SplitMix64.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
