use crate::step::{Answer, AnyStep};
use crate::Step;

/// Steps that stand or fall together: a step, a `Vec` or an `Option` of units, a pair or a triple of them. Its answer has the
/// same shape.
pub trait Unit: Send + 'static + private::Parts {
    /// The answers, in the shape of the unit.
    type Done: Send + 'static;
    #[doc(hidden)]
    fn take_apart(self, steps: &mut Vec<private::Erased>) -> Self::Shape;
    #[doc(hidden)]
    fn put_together(shape: Self::Shape, answers: &mut std::vec::IntoIter<private::Answered>) -> Self::Done;
}

pub(crate) mod private {
    use super::{Answer, AnyStep};

    /// A step in the writer's queue.
    pub struct Erased(pub(crate) Box<dyn AnyStep>);
    /// Its answer.
    pub struct Answered(pub(crate) Answer);

    /// How many steps stood where.
    pub trait Parts {
        type Shape: Send;
    }
    impl<S: crate::Step> Parts for S {
        type Shape = ();
    }
    impl<U: super::Unit> Parts for Vec<U> {
        type Shape = Vec<U::Shape>;
    }
    impl<U: super::Unit> Parts for Option<U> {
        type Shape = Option<U::Shape>;
    }
    impl<A: super::Unit, B: super::Unit> Parts for (A, B) {
        type Shape = (A::Shape, B::Shape);
    }
    impl<A: super::Unit, B: super::Unit, C: super::Unit> Parts for (A, B, C) {
        type Shape = (A::Shape, B::Shape, C::Shape);
    }
}

use private::{Answered, Erased};

impl<S: Step> Unit for S {
    type Done = S::Done;
    fn take_apart(self, steps: &mut Vec<Erased>) {
        steps.push(Erased(Box::new(self)));
    }
    fn put_together((): (), answers: &mut std::vec::IntoIter<Answered>) -> S::Done {
        let answer = answers.next().and_then(|answered| answered.0.downcast().ok());
        // The writer answers each step of a unit with what `run` of that very step's kind returned.
        *answer.expect("the writer answered every step of the unit")
    }
}

impl<U: Unit> Unit for Vec<U> {
    type Done = Vec<U::Done>;
    fn take_apart(self, steps: &mut Vec<Erased>) -> Vec<U::Shape> {
        self.into_iter().map(|unit| unit.take_apart(steps)).collect()
    }
    fn put_together(shape: Vec<U::Shape>, answers: &mut std::vec::IntoIter<Answered>) -> Vec<U::Done> {
        shape.into_iter().map(|shape| U::put_together(shape, answers)).collect()
    }
}

impl<U: Unit> Unit for Option<U> {
    type Done = Option<U::Done>;
    fn take_apart(self, steps: &mut Vec<Erased>) -> Option<U::Shape> {
        self.map(|unit| unit.take_apart(steps))
    }
    fn put_together(shape: Option<U::Shape>, answers: &mut std::vec::IntoIter<Answered>) -> Option<U::Done> {
        shape.map(|shape| U::put_together(shape, answers))
    }
}

impl<A: Unit, B: Unit> Unit for (A, B) {
    type Done = (A::Done, B::Done);
    fn take_apart(self, steps: &mut Vec<Erased>) -> (A::Shape, B::Shape) {
        (self.0.take_apart(steps), self.1.take_apart(steps))
    }
    fn put_together(shape: (A::Shape, B::Shape), answers: &mut std::vec::IntoIter<Answered>) -> Self::Done {
        (A::put_together(shape.0, answers), B::put_together(shape.1, answers))
    }
}

impl<A: Unit, B: Unit, C: Unit> Unit for (A, B, C) {
    type Done = (A::Done, B::Done, C::Done);
    fn take_apart(self, steps: &mut Vec<Erased>) -> (A::Shape, B::Shape, C::Shape) {
        (self.0.take_apart(steps), self.1.take_apart(steps), self.2.take_apart(steps))
    }
    fn put_together(shape: (A::Shape, B::Shape, C::Shape), answers: &mut std::vec::IntoIter<Answered>) -> Self::Done {
        (A::put_together(shape.0, answers), B::put_together(shape.1, answers), C::put_together(shape.2, answers))
    }
}
