//! The functions of the bindings' own that stand for some of the interpreter's.

use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

use super::found::{Found, Import, Replaced, Standing};

/// The largest integer that numbers of JavaScript count to without gaps.
const SAFE_MAX: i64 = (1 << 53) - 1;

/// How many digits an integer of 64 bits has.
const DIGITS: i32 = 16;

/// The alignment of what is handed to the interpreter to free, and the flag that has it do so when the call is over.
const BYTES_ALIGNMENT: i32 = 1;
const WHEN_THE_CALL_IS_OVER: i32 = 1;

fn at(align: u32) -> MemArg {
    MemArg { offset: 0, align, memory_index: 0 }
}

impl Found {
    /// The code of the function that stands for `replaced`.
    pub(super) fn code(&self, replaced: &Replaced) -> Function {
        match replaced.by {
            Standing::PushList => self.push_list(replaced.import),
            Standing::PopList => self.pop_list(replaced.import),
            Standing::PushUnsigned => self.push_wide(replaced.import, false),
            Standing::PushSigned => self.push_wide(replaced.import, true),
            Standing::PopDigits => self.pop_digits(),
        }
    }

    /// The function of that name, which wit-dylib's bindings always import.
    fn of(&self, name: &str) -> u32 {
        self.import(name).expect("the bindings import all that the interpreter has").index
    }

    /// Leaves in `size` how many bytes an element of the list has that comes as bytes, or else nought.
    fn size_of_element(&self, code: &mut InstructionSink<'_>, list_type: u32, size: u32) {
        for (list, bytes) in &self.numbers {
            code.local_get(list_type).i32_const(*list).i32_eq().if_(BlockType::Empty);
            code.i32_const(*bytes).local_set(size).end();
        }
    }

    /// `fn(call, list_type, pointer, length) -> is_taken`, which hands over a list.
    fn push_list(&self, original: Import) -> Function {
        let [call, list_type, pointer, length, size] = [0, 1, 2, 3, 4];
        let mut function = Function::new([(1, ValType::I32)]);
        let mut code = function.instructions();
        if let Some(bytes) = self.bytes {
            self.size_of_element(&mut code, list_type, size);
            code.local_get(size).if_(BlockType::Empty);
            code.local_get(call).i32_const(bytes).local_get(pointer);
            code.local_get(length).local_get(size).i32_mul().call(original.index).return_().end();
        }
        code.local_get(call).local_get(list_type).local_get(pointer).local_get(length).call(original.index).end();
        function
    }

    /// `fn(call, list_type, &mut pointer) -> length`, which takes a list. Without a pointer, its elements come one by one.
    fn pop_list(&self, original: Import) -> Function {
        let [call, list_type, pointer, length, size] = [0, 1, 2, 3, 4];
        let mut function = Function::new([(2, ValType::I32)]);
        let mut code = function.instructions();
        if let Some(bytes) = self.bytes {
            self.size_of_element(&mut code, list_type, size);
            code.local_get(size).if_(BlockType::Empty).i32_const(bytes).local_set(list_type).end();
        }
        code.local_get(call).local_get(list_type).local_get(pointer).call(original.index).local_set(length);
        code.local_get(pointer).i32_load(at(2)).if_(BlockType::Empty);
        if self.changes.frees_bytes {
            code.local_get(call).local_get(pointer).i32_load(at(2)).local_get(length);
            code.i32_const(BYTES_ALIGNMENT).i32_const(WHEN_THE_CALL_IS_OVER).call(self.of("dealloc_bytes"));
        }
        code.local_get(size).if_(BlockType::Empty);
        // No bytes may be anywhere, but no numbers have to be where numbers can be.
        code.local_get(length).i32_eqz().if_(BlockType::Empty);
        code.local_get(pointer).local_get(size).i32_store(at(2)).end();
        code.local_get(length).local_get(size).i32_div_u().local_set(length).end();
        code.end().local_get(length).end();
        function
    }

    /// `fn(call, value)`, which hands an integer over as a number, or where none holds it as the text of its digits.
    fn push_wide(&self, original: Import, is_signed: bool) -> Function {
        let [call, value, text, digit, place] = [0, 1, 2, 3, 4];
        let mut function = Function::new([(3, ValType::I32)]);
        let mut code = function.instructions();
        code.local_get(value);
        if is_signed {
            code.i64_const(SAFE_MAX).i64_add().i64_const(2 * SAFE_MAX).i64_le_u();
        } else {
            code.i64_const(SAFE_MAX).i64_le_u();
        }
        code.if_(BlockType::Empty).local_get(call).local_get(value).call(original.index).return_().end();
        code.i32_const(0).i32_const(0).i32_const(1).i32_const(DIGITS).call(self.of("cabi_realloc")).local_set(text);
        code.i32_const(DIGITS).local_set(place).loop_(BlockType::Empty);
        code.local_get(place).i32_const(1).i32_sub().local_set(place);
        code.local_get(value).i32_wrap_i64().i32_const(15).i32_and().local_set(digit);
        code.local_get(text).local_get(place).i32_add();
        // `0` to `9`, and `a` to `f`.
        code.local_get(digit).i32_const(48).i32_add().local_get(digit).i32_const(87).i32_add();
        code.local_get(digit).i32_const(10).i32_lt_u().select().i32_store8(at(0));
        code.local_get(value).i64_const(4).i64_shr_u().local_set(value);
        code.local_get(place).br_if(0).end();
        code.local_get(call).local_get(text).i32_const(DIGITS).call(self.of("push_string")).end();
        function
    }

    /// `fn(call) -> value`, which takes an integer as the text of its digits, with a sign before them if it is below nought.
    fn pop_digits(&self) -> Function {
        let [call, frame, text, length, digit, is_negative, value] = [0, 1, 2, 3, 4, 5, 6];
        let stack_pointer = self.stack_pointer.expect("the bindings have a stack");
        let mut function = Function::new([(5, ValType::I32), (1, ValType::I64)]);
        let mut code = function.instructions();
        code.global_get(stack_pointer).i32_const(16).i32_sub().local_tee(frame).global_set(stack_pointer);
        code.local_get(call).local_get(frame).call(self.of("pop_string")).local_set(length);
        code.local_get(frame).i32_load(at(2)).local_set(text);
        code.local_get(frame).i32_const(16).i32_add().global_set(stack_pointer);
        code.block(BlockType::Empty).loop_(BlockType::Empty).local_get(length).i32_eqz().br_if(1);
        code.local_get(text).i32_load8_u(at(0)).local_set(digit);
        code.local_get(digit).i32_const(45).i32_eq().if_(BlockType::Empty).i32_const(1).local_set(is_negative).else_();
        code.local_get(value).i64_const(4).i64_shl();
        code.local_get(digit).i32_const(48).i32_sub().local_get(digit).i32_const(87).i32_sub();
        code.local_get(digit).i32_const(58).i32_lt_u().select().i64_extend_i32_u().i64_or().local_set(value).end();
        code.local_get(text).i32_const(1).i32_add().local_set(text);
        code.local_get(length).i32_const(1).i32_sub().local_set(length).br(0).end().end();
        code.i64_const(0).local_get(value).i64_sub().local_get(value).local_get(is_negative).select().end();
        function
    }
}
