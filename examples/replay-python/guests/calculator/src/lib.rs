//! A calculator: takes numbers from one table of a replay node and writes what it makes of them to another one.

use lp_guest::CallError;
use lp_guest::replay::{Column, Sampler, Tensor, Writers};

lp_guest::node!({ world: "calculator-node", path: "../../wit", node: Calculator });

struct Calculator;

impl Guest for Calculator {
    async fn run() -> Result<(), ()> {
        match answer().await {
            // Nobody asks any more: the program stops, which the replay node may know earlier than this one.
            Err(CallError::Cancelled) => Ok(()),
            answered => lp_guest::report(answered),
        }
    }
}

async fn answer() -> Result<(), CallError> {
    let questions = Sampler::new("replay");
    let mut answers = Writers::new("replay").writer(0)?;
    loop {
        let question = questions.sample("questions", 1).await?;
        // A batch of one: the first dimension is the sample.
        let (numbers, scale) = (question.columns[0].to_f32(), question.columns[1].to_f32()[0]);
        println!("{} numbers, times {scale}", numbers.len());
        let first = answers.next();
        let mut sum = 0.0;
        for number in &numbers {
            sum += number * scale;
            answers.append(&[Tensor::f32(&[], &[number * scale]), Tensor::f32(&[], &[sum])]);
        }
        let (steps, last) = (first..answers.next(), answers.next() - 1);
        answers.item("answers", 1.0, vec![Column::steps(0, steps), Column::step(1, last)]);
        answers.end_episode().await?;
    }
}
