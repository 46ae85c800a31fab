// SPDX-License-Identifier: Apache-2.0
//! Saving and restoring state as bytes: little endian, no padding, refused when it does not fit what reads it.
use std::collections::{BTreeMap, VecDeque};

/// Why bytes cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateError(
    /// What did not fit.
    pub String,
);

impl core::fmt::Display for StateError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "saved engine state cannot be restored: {}", self.0)
    }
}

impl std::error::Error for StateError {}

/// Bytes being read.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(
    /// What is left.
    pub &'a [u8],
);

impl<'a> Reader<'a> {
    /// Takes the next `n` bytes.
    ///
    /// # Errors
    /// Where fewer are left.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], StateError> {
        let (head, tail) = self.0.split_at_checked(n).ok_or_else(|| StateError(format!("it ends {} bytes early", n - self.0.len())))?;
        self.0 = tail;
        Ok(head)
    }

    /// A length, bounded by the bytes left so that a corrupt one allocates nothing.
    ///
    /// # Errors
    /// Where it is larger than what is left.
    pub fn length(&mut self) -> Result<usize, StateError> {
        let mut n = 0u64;
        n.read(self)?;
        usize::try_from(n).ok().filter(|n| *n <= self.0.len()).ok_or_else(|| StateError(format!("length {n} exceeds the bytes left")))
    }
}

/// State that can be written and read back in place.
pub trait State {
    /// Appends this state.
    fn write(&self, out: &mut Vec<u8>);

    /// Replaces this state by what was written.
    ///
    /// # Errors
    /// Where the bytes do not hold such a state.
    fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError>;
}

/// Reads a fresh value.
///
/// # Errors
/// As [`State::read`].
pub fn fresh<T: State + Default>(from: &mut Reader<'_>) -> Result<T, StateError> {
    let mut value = T::default();
    value.read(from)?;
    Ok(value)
}

macro_rules! numbers {
    ($($t:ty)+) => {$(
        impl State for $t {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
                let bytes = from.take(size_of::<$t>())?;
                *self = <$t>::from_le_bytes(bytes.try_into().map_err(|_| StateError("a number is cut".into()))?);
                Ok(())
            }
        }
    )+};
}
numbers!(u8 u16 u32 u64 i64 i128 f64);

impl State for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        *self = fresh::<u8>(from)? != 0;
        Ok(())
    }
}

impl State for usize {
    fn write(&self, out: &mut Vec<u8>) {
        (*self as u64).write(out);
    }
    fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        *self = usize::try_from(fresh::<u64>(from)?).map_err(|e| StateError(e.to_string()))?;
        Ok(())
    }
}

impl<T: State, const N: usize> State for [T; N] {
    fn write(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|v| v.write(out));
    }
    fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.iter_mut().try_for_each(|v| v.read(from))
    }
}

impl<A: State, B: State> State for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }
    fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.0.read(from)?;
        self.1.read(from)
    }
}

impl<T: State + Default> State for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(v) = self {
            v.write(out);
        }
    }
    fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        *self = if fresh::<bool>(from)? { Some(fresh(from)?) } else { None };
        Ok(())
    }
}

impl<T: State + Default> State for VecDeque<T> {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u64).write(out);
        self.iter().for_each(|v| v.write(out));
    }
    fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.clear();
        for _ in 0..from.length()? {
            self.push_back(fresh(from)?);
        }
        Ok(())
    }
}

impl<T: State + Default> State for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u64).write(out);
        self.iter().for_each(|v| v.write(out));
    }
    fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.clear();
        for _ in 0..from.length()? {
            self.push(fresh(from)?);
        }
        Ok(())
    }
}

impl<K: State + Default + Ord, V: State + Default> State for BTreeMap<K, V> {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u64).write(out);
        for (k, v) in self {
            k.write(out);
            v.write(out);
        }
    }
    fn read(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.clear();
        for _ in 0..from.length()? {
            let key = fresh(from)?;
            self.insert(key, fresh(from)?);
        }
        Ok(())
    }
}

/// Writes and reads the named fields of a struct in that order.
#[macro_export]
macro_rules! state {
    ($name:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::state::State for $name {
            fn write(&self, out: &mut Vec<u8>) {
                $($crate::state::State::write(&self.$field, out);)+
            }
            fn read(&mut self, from: &mut $crate::state::Reader<'_>) -> Result<(), $crate::state::StateError> {
                $($crate::state::State::read(&mut self.$field, from)?;)+
                Ok(())
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_a_cut_or_inflated_state_is_refused() {
        let v: (Vec<Option<i64>>, (f64, bool)) = (vec![Some(-3), None], (0.25, true));
        let mut bytes = Vec::new();
        v.write(&mut bytes);
        assert_eq!(fresh::<(Vec<Option<i64>>, (f64, bool))>(&mut Reader(&bytes)).unwrap(), v);
        assert!(fresh::<(Vec<Option<i64>>, (f64, bool))>(&mut Reader(&bytes[..bytes.len() - 1])).is_err());
        bytes[7] = 0xFF;
        assert!(fresh::<Vec<Option<i64>>>(&mut Reader(&bytes)).is_err());
    }
}
