# From the BIOS to main() in long mode with AVX-512 on: a boot sector that loads the rest of the disk image to 0x10000 and goes on
# there. Memory is mapped one to one by 2 MiB pages.
        .code16
        .section .boot, "ax"
        .globl  start
start:
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7c00, %sp
        movb    %dl, drive
        # 1. Sectors 1 and up, 64 at a time, each time 2 KiB paragraphs further.
        movw    $chunks, %cx
1:      pushw   %cx
        movw    $packet, %si
        movb    $0x42, %ah
        movb    drive, %dl
        int     $0x13
        jc      stuck
        addw    $0x800, packet + 6
        addl    $64, packet + 8
        popw    %cx
        loop    1b
        # 2. A20, protected mode.
        inb     $0x92, %al
        orb     $2, %al
        outb    %al, $0x92
        lgdt    gdt_pointer
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmp    $0x08, $protected
stuck:  hlt
        jmp     stuck

        .code32
protected:
        movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        # 3. Page tables at 0x1000: one entry, one entry, 512 pages of 2 MiB.
        movl    $0x1000, %edi
        xorl    %eax, %eax
        movl    $0xc00, %ecx
        rep stosl
        movl    $0x2003, 0x1000
        movl    $0x3003, 0x2000
        movl    $0x83, %eax
        movl    $0x3000, %edi
        movl    $512, %ecx
2:      movl    %eax, (%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    2b
        movl    $0x1000, %eax
        movl    %eax, %cr3
        # 4. PAE, OSFXSR, OSXMMEXCPT, OSXSAVE; long mode; paging with MP and without EM.
        movl    $0x40620, %eax
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        andl    $~0x4, %eax
        orl     $0x80000002, %eax
        movl    %eax, %cr0
        ljmp    $0x18, $long_mode

        .code64
long_mode:
        # 5. x87, SSE, AVX and the three states of AVX-512.
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        movl    $0xe7, %eax
        xsetbv
        movl    $0x400000, %esp
        movabsq $bare_metal_main, %rax
        call    *%rax
3:      hlt
        jmp     3b

        .balign 8
gdt:    .quad   0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00af9a000000ffff
gdt_pointer:
        .word   31
        .long   gdt
packet: .byte   16, 0
        .word   64
        .word   0, 0x1000
        .quad   1
drive:  .byte   0
        .org    510
        .word   0xaa55
        .section .note.GNU-stack, "", @progbits
