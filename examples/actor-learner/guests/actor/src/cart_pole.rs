//! A cart with a pole on it, as Barto, Sutton and Anderson described it in 1983.

/// How long an episode is at most.
pub const STEPS_MAX: usize = 200;

const GRAVITY: f32 = 9.8;
const POLE_MASS: f32 = 0.1;
const TOTAL_MASS: f32 = 1.0 + POLE_MASS;
const HALF_LENGTH: f32 = 0.5;
const FORCE: f32 = 10.0;
const TIME: f32 = 0.02;
const POSITION_MAX: f32 = 2.4;
const ANGLE_MAX: f32 = 12.0 * std::f32::consts::PI / 180.0;

/// The position and speed of the cart, and those of the pole's angle.
pub struct CartPole(pub [f32; 4]);

impl CartPole {
    /// Pushes the cart to the right or to the left, and says whether the pole still stands.
    pub fn push(&mut self, to_the_right: bool) -> bool {
        let [position, speed, angle, turn] = self.0;
        let force = if to_the_right { FORCE } else { -FORCE };
        let (sine, cosine) = angle.sin_cos();
        let rest = (force + POLE_MASS * HALF_LENGTH * turn * turn * sine) / TOTAL_MASS;
        let turning =
            (GRAVITY * sine - cosine * rest) / (HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * cosine * cosine / TOTAL_MASS));
        let pushing = rest - POLE_MASS * HALF_LENGTH * turning * cosine / TOTAL_MASS;
        self.0 = [position + TIME * speed, speed + TIME * pushing, angle + TIME * turn, turn + TIME * turning];
        self.0[0].abs() <= POSITION_MAX && self.0[2].abs() <= ANGLE_MAX
    }
}
