module lp

go 1.25
