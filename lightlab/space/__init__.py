"""Search spaces and architectures as data; no PyTorch.

Every network of this workbook, from MobileNetV1 to what a search finds, is an `Arch`: hashable, and
written as text that names one block after another, "*n" for repeats:

    r224x3 conv_k3_s2_c32_relu6 mb_k3_s1_e1_c16_relu6 mb_k3_s2_e6_c24_relu6 … head_f1280_relu6_n1000
"""
