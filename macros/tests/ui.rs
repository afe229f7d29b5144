//! Tests of the compiler's messages where the attribute, or the function it stands on, is wrong. After a change:
//! `TRYBUILD=overwrite cargo test -p tracehound-macros --test ui`.

#[test]
fn errors_point_at_the_code_of_the_program_and_say_what_to_do() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
