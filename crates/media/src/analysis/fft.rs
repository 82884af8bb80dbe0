//! A transform of 512 points of two real signals at once.

use std::f32::consts::TAU;

/// Points.
pub(super) const SIZE: usize = 512;
const LOG: u32 = SIZE.trailing_zeros();

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Complex {
    pub re: f32,
    pub im: f32,
}

/// Tables and workspace.
#[derive(Debug)]
pub(super) struct Fft {
    window: [f32; SIZE],
    twiddles: [Complex; SIZE / 2],
    work: [Complex; SIZE],
}

impl Fft {
    pub fn new() -> Self {
        let angle = |n: usize| TAU * n as f32 / SIZE as f32;
        Self {
            window: std::array::from_fn(|n| 0.5 - 0.5 * angle(n).cos()),
            twiddles: std::array::from_fn(|n| Complex { re: angle(n).cos(), im: -angle(n).sin() }),
            work: [Complex::default(); SIZE],
        }
    }

    /// Transforms two signals, under a Hann window.
    pub fn transform_pair(&mut self, first: &[f32], second: &[f32]) {
        for (n, ((a, b), w)) in first.iter().zip(second).zip(&self.window).enumerate() {
            let reversed = n.reverse_bits() >> (usize::BITS - LOG);
            self.work[reversed] = Complex { re: a * w, im: b * w };
        }
        let mut half = 1;
        while half < SIZE {
            let stride = SIZE / 2 / half;
            for block in self.work.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                for (n, (a, b)) in low.iter_mut().zip(high).enumerate() {
                    let t = self.twiddles[n * stride];
                    let turned = Complex { re: b.re * t.re - b.im * t.im, im: b.re * t.im + b.im * t.re };
                    *b = Complex { re: a.re - turned.re, im: a.im - turned.im };
                    *a = Complex { re: a.re + turned.re, im: a.im + turned.im };
                }
            }
            half *= 2;
        }
    }

    /// A bin (1 to 255) of both signals.
    pub fn pair(&self, bin: usize) -> (Complex, Complex) {
        // For real signals X(N − k) is the conjugate of X(k): that tells them apart.
        let (z, mirror) = (self.work[bin], self.work[SIZE - bin]);
        let first = Complex { re: (z.re + mirror.re) / 2.0, im: (z.im - mirror.im) / 2.0 };
        let second = Complex { re: (z.im + mirror.im) / 2.0, im: (mirror.re - z.re) / 2.0 };
        (first, second)
    }
}
