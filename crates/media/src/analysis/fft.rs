//! A transform of 512 points of two real signals at once.

use std::f32::consts::TAU;
use std::sync::LazyLock;

/// Points.
pub(super) const SIZE: usize = 512;
const LOG: u32 = SIZE.trailing_zeros();

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Complex {
    pub re: f32,
    pub im: f32,
}

/// Real and imaginary parts apart, so that several points are turned at once.
pub(super) struct Fft {
    re: [f32; SIZE],
    im: [f32; SIZE],
}

/// What all transforms share.
struct Tables {
    window: [f32; SIZE],
    /// Where each point goes: its bits reversed.
    reversed: [u16; SIZE],
    /// Cosines and negative sines of the stage of blocks of 2 n points: from n to 2 n.
    cos: [f32; SIZE],
    sin: [f32; SIZE],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let angle = |n: usize| TAU * n as f32 / SIZE as f32;
    // In the stage of n, the turns are those of every (256 / n)th point.
    let turn = |n: usize| match n.checked_ilog2() {
        Some(stage) => angle((n - (1 << stage)) * ((SIZE / 2) >> stage)),
        None => 0.0,
    };
    Tables {
        window: std::array::from_fn(|n| 0.5 - 0.5 * angle(n).cos()),
        reversed: std::array::from_fn(|n| (n.reverse_bits() >> (usize::BITS - LOG)) as u16),
        cos: std::array::from_fn(|n| turn(n).cos()),
        sin: std::array::from_fn(|n| -turn(n).sin()),
    }
});

impl Fft {
    pub fn new() -> Self {
        Self { re: [0.0; SIZE], im: [0.0; SIZE] }
    }

    /// Windows and transforms two real signals of [`SIZE`] samples, as real and imaginary part of one.
    pub fn transform_pair(&mut self, first: &[i16], second: &[i16]) {
        let tables = &*TABLES;
        for (((a, b), w), reversed) in first.iter().zip(second).zip(&tables.window).zip(&tables.reversed) {
            self.re[usize::from(*reversed)] = f32::from(*a) * w;
            self.im[usize::from(*reversed)] = f32::from(*b) * w;
        }
        self.first_two_stages();
        self.stage::<4>();
        self.stage::<8>();
        self.stage::<16>();
        self.stage::<32>();
        self.stage::<64>();
        self.stage::<128>();
        self.stage::<256>();
    }

    /// Joins blocks of so many points in pairs.
    fn stage<const HALF: usize>(&mut self) {
        let tables = &*TABLES;
        let (cos, sin) = (&tables.cos[HALF..2 * HALF], &tables.sin[HALF..2 * HALF]);
        let (re, im) = (self.re.as_chunks_mut::<HALF>().0, self.im.as_chunks_mut::<HALF>().0);
        for (re, im) in re.as_chunks_mut::<2>().0.iter_mut().zip(im.as_chunks_mut::<2>().0) {
            let ([low_re, high_re], [low_im, high_im]) = (re, im);
            for n in 0..HALF {
                let turned_re = high_re[n] * cos[n] - high_im[n] * sin[n];
                let turned_im = high_re[n] * sin[n] + high_im[n] * cos[n];
                high_re[n] = low_re[n] - turned_re;
                high_im[n] = low_im[n] - turned_im;
                low_re[n] += turned_re;
                low_im[n] += turned_im;
            }
        }
    }

    /// Blocks of two and of four points: their turns are 1 and −i, which nobody needs to multiply by.
    fn first_two_stages(&mut self) {
        let (re, im) = (self.re.as_chunks_mut::<4>().0, self.im.as_chunks_mut::<4>().0);
        for (re, im) in re.iter_mut().zip(im) {
            let [a, b, c, d] = [re[0] + re[1], re[0] - re[1], re[2] + re[3], re[2] - re[3]];
            let [e, f, g, h] = [im[0] + im[1], im[0] - im[1], im[2] + im[3], im[2] - im[3]];
            *re = [a + c, b + h, a - c, b - h];
            *im = [e + g, f - d, e - g, f + d];
        }
    }

    /// Both spectra at one bin, `1 ≤ bin < SIZE / 2`.
    pub fn pair(&self, bin: usize) -> (Complex, Complex) {
        // For real signals X(N − k) is the conjugate of X(k): that tells them apart.
        let (re, im) = (self.re[bin], self.im[bin]);
        let (mirror_re, mirror_im) = (self.re[SIZE - bin], self.im[SIZE - bin]);
        let first = Complex { re: (re + mirror_re) / 2.0, im: (im - mirror_im) / 2.0 };
        let second = Complex { re: (im + mirror_im) / 2.0, im: (mirror_re - re) / 2.0 };
        (first, second)
    }
}
