#include "textflag.h"

// func dot(a, b *float32, n int) float32
//
// Two sums of four lanes each.
TEXT ·dot(SB), NOSPLIT, $0-28
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVD n+16(FP), R2
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	SUBS $8, R2
	BLT  rest

eight:
	VLD1.P 32(R0), [V2.S4, V3.S4]
	VLD1.P 32(R1), [V4.S4, V5.S4]
	VFMLA  V4.S4, V2.S4, V0.S4
	VFMLA  V5.S4, V3.S4, V1.S4
	SUBS   $8, R2
	BGE    eight

rest:
	ADDS  $4, R2
	BLT   sum
	VLD1  (R0), [V2.S4]
	VLD1  (R1), [V4.S4]
	VFMLA V4.S4, V2.S4, V0.S4

sum:
	// Two by two, with a factor of one where the assembler has no addition.
	FMOVS $1.0, F6
	VDUP  V6.S[0], V6.S4
	VFMLA V6.S4, V1.S4, V0.S4
	VEXT  $8, V0.B16, V0.B16, V1.B16
	VFMLA V6.S4, V1.S4, V0.S4
	VEXT  $4, V0.B16, V0.B16, V1.B16
	VFMLA V6.S4, V1.S4, V0.S4
	FMOVS F0, ret+24(FP)
	RET
